"""Expected token ids from transformers' CLIPTokenizer.

    python make.py ../../../Weights/clip/merges.txt clip.json      (transformers 5.23, tokenizers 0.23)

A list of groups: which files configure the marks, and `cases` of [text, ids], cut to 77 ids and not padded. The last
group has a vocabulary of its own with few merges and without most letters, to reach unknown bytes.
"""
import json
import os
import random
import sys
import tempfile

from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"

CURATED = [
    "", " ", "a", "a photo of a cat", "A Photo  of a CAT's   tail", "it's don't we're i'll you've he'd they're I'm",
    "IT'S DON'T WE'RE", "'sound 'test 'really 'dog 'llama 'very 'mom", "''s ''' 's's", "o'clock rock'n'roll", "‘it’s’ “quoted”",
    "café naïve 東京 🙂 !!! 2023-512", "cafe\u0301 vs caf\u00e9", "\u212b ngstro\u0308m \u2126", "watercolor, (high resolution:1.2) <b>bold</b> a_b",
    "\tnew\nline \r\n x\u000bx\u000cx", "a\u00a0b\u2003c\u3000d\u2028e\u2029f\u0085g\u1680h\u202fi\u205fj", "a\u200bb\u200cc\u200dd\ufeffe\u2060f\u180eg",
    "a\u0000b\u0001c\u001cd\u001fe\u007ff\u0080g", "zzzzqqqq supercalifragilisticexpialidocious", "cat!", "cat !", "!cat", "!!! ! !!",
    "hi<|endoftext|>there", "<|startoftext|> a <|startoftext|>", "<|ENDOFTEXT|>", "<|EndOfText|>!", "x<|STARTOFTEXT|>!!y", "!<|ENDOFTEXT|>!",
    "<|endoftext|><|endoftext|>", "<|endoftext", "|endoftext|>", "< |endoftext| >", "<|startoftext|>!<|endoftext|>",
    "&lt;b&gt; &amp; &#39;", "caf\u00c3\u00a9", "1234567890", "1,234.56", "½ ² Ⅷ ⅷ ①", "x²+y²=z²", "٣٤٥ ४५६ 一二三", "3d 4k 1980s", "100%", "$5.00 €7 £3 ¥9",
    "İstanbul ISTANBUL ıi İ", "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ σς", "straße STRASSE ẞ", "ǅ ǆ Ǆ", "Ω K Å", "ﬁ ﬂ ﬀ", "ＦＵＬＬ ｗｉｄｔｈ １２３", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚", "𐐀𐐨 Deseret", "ꙮ Ꙁ", "Ᏸ ꭰ Ꭰ Georgian ა Ა",
    "👨‍👩‍👧‍👦 family", "👍🏽 🇩🇪🇯🇵", "🏳️‍🌈", "☃️ ☂ ❤", "e\u0301\u0302\u0303", "\u0301a", "a\u0327\u0301", "\U000100ef\u0301 \U00011099\U000110ba \U00011131\U00011127", "n\u036e\u0336\u0f75 \u0f40\u0301\u0f73 \u0301\u0f81 e\u0301\u0344\u0316", "क़ ख़ \u0958", "\u0344 \u1fc1", "한국어 \u1112\u1161\u11ab", "각\u11a8",
    "שָׁלוֹם עולם", "مرحبا بالعالم", "السَّلامُ عَلَيْكُم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "Привет, мир!", "Γειά σου Κόσμε", "Xin chào thế giới", "こんにちは世界", "コンニチハ ｺﾝﾆﾁﾊ",
    "你好，世界！", "გამარჯობა მსოფლიო", "Բարեւ աշխարհ", "வணக்கம் உலகம்", "ওহে বিশ্ব", "ਸਤ ਸ੍ਰੀ ਅਕਾਲ", "ሰላም ዓለም", "ສະບາຍດີ", "မင်္ဂလာပါ", "ជំរាបសួរ", "བཀྲ་ཤིས", "ᐊᐃᖓ", "ߊߋߌ", "ꦲꦏ꧀ꦱꦫ",
    "http://example.com/a?b=c&d=e#f", "me@example.com", "C:\\path\\file", "snake_case camelCase kebab-case", "((nested:1.1)) [[less]] {x|y}", "a|b||c", "...", "--", "—–‐", "…", "#hashtag @mention",
    "\ud7ff\ue000\uffff", "\U0010ffff \U000e0041", "\u0378 \u05ff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ab" * 60, "é" * 50, "!" * 90, "9" * 90,
    "a cat " * 30, "a cat " * 37 + "and", "東京" * 40, "cat " * 75, "cat " * 74, "cat " * 76, "🙂" * 60, "w" * 400,
]

WORDS = """a photo of the cat sitting next to mirror tiger painting dog in snow high resolution bowl fruits wooden table red car parked
street yellow watercolor style horse running robot wearing brown hoodie oil portrait old man castle river cloudy sky house garden
masterpiece 8k unreal engine trending on artstation greg rutkowski cyberpunk neon bokeh dslr 35mm f/1.8 ultra-detailed""".split()

POOLS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "'s't're've'm'll'd", " \t\n",
    "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿÀÁÂÃÄÅÆÇ", "ĀāĂăĄąĆćŁłŃńŐőŘřŠšŤťŮůŹźŻż", "αβγδεζηθικλμνξοπρστυφχψωΑΒΓΔΕΣΩ", "абвгдежзийклмнопрстуфхцчшщъыьэюяЁЖЯ",
    "אבגדהוזחטיכלמנסעפצקרשת", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "अआइईउऊकखगघचछजझ\u093f\u0940\u094d", "กขคงจฉชซญดตถทธน\u0e31\u0e34\u0e49",
    "あいうえおかきくけこアイウエオ", "中文字符日本語漢字", "가나다라마바사아자차", "😀😂🥰🎉🔥🌍🚀", "\u0300\u0301\u0302\u0308\u0327\u0328", "\u2000\u200b\u200d\u3000\u00a0", "½²³¹Ⅷ①٣४",
    "ႠႡႢაბგᲐᲑ", "ꭰꭱᏰᎠᎡ", "𝐀𝐁𝐂𝒶𝒷𝟘𝟙", "ǄǅǆẞßİıſK",
]


def texts():
    rng = random.Random(20)
    out = list(CURATED)
    for _ in range(90):
        out.append(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 20))))
    for _ in range(60):
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 8))]
        out.append(rng.choice([", ", "  ", "", "-", "' ", ": "]).join(w.title() if rng.random() < 0.4 else w for w in words))
    for _ in range(170):
        pools = rng.sample(POOLS, rng.randint(1, 4))
        out.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 24))))
    return list(dict.fromkeys(out))


def mark(text, normalized=True):
    return {"content": text, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}


PLAIN = {"bos_token": START, "eos_token": END, "unk_token": END}
OBJECTS = {"bos_token": mark(START), "eos_token": mark(END), "unk_token": mark(END)}
SMALL = "#version: 0.2\na t</w>\nc at</w>\nc a\nt h\nth e</w>\n! !\n!! !</w>\n"


def tokenizer(merges, files, drop=""):
    pairs = [tuple(line.split()) for line in merges.splitlines() if line and not line.startswith("#version")]
    first = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = [chr(b) for b in first] + [chr(0x100 + i) for i in range(256 - len(first))]
    tokens = alphabet + [c + "</w>" for c in alphabet] + [a + b for a, b in pairs] + [START, END]
    vocab = {t: i for i, t in enumerate(tokens) if t.removesuffix("</w>") not in set(drop)}
    with tempfile.TemporaryDirectory() as d:
        for name, content in files.items():
            json.dump(content, open(os.path.join(d, name + ".json"), "w"))
        json.dump(vocab, open(os.path.join(d, "vocab.json"), "w"))
        open(os.path.join(d, "merges.txt"), "w", encoding="utf-8").write(merges)
        return CLIPTokenizer.from_pretrained(d), vocab


def main(merges_path, out):
    clip = open(merges_path, encoding="utf-8").read()
    all_texts = texts()
    some = [t for i, t in enumerate(all_texts) if "<|" in t or "!" in t or i % 9 == 0] + ["the cat sat", "<|ENDOFTEXT|> the"]
    base = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    groups = [
        ("no files about marks", clip, {}, "", all_texts),
        ("SD 1.x: marks as objects, padding as a string", clip,
         {"special_tokens_map": {**OBJECTS, "pad_token": END}, "tokenizer_config": {**base, **OBJECTS, "pad_token": END}}, "", some),
        ("SD 2.x: the map pads with !, the configuration does not", clip,
         {"special_tokens_map": {**OBJECTS, "pad_token": "!"}, "tokenizer_config": {**base, **OBJECTS, "pad_token": END}}, "", some),
        ("the configuration lists added tokens and wins", clip,
         {"special_tokens_map": {"pad_token": END}, "tokenizer_config": {**base, **PLAIN, "pad_token": "!", "added_tokens_decoder": {
             "0": mark("!", False), "49406": mark(START, False), "49407": mark(END, False)}}}, "", some),
        ("a small vocabulary without most letters", SMALL,
         {"special_tokens_map": {**PLAIN, "pad_token": END}}, "bdfgijklmnopqrsuvwxyz?", some),
    ]
    lines = []
    for name, merges, files, drop, group in groups:
        t, vocab = tokenizer(merges, files, drop)
        cases = [[s, t(s, truncation=True, max_length=77)["input_ids"]] for s in group]
        head = {"name": name, "pad": t.pad_token_id, "files": files}
        if merges is SMALL:
            head.update(merges=merges, vocabulary=vocab)
        body = ",\n".join("  " + json.dumps(c, separators=(",", ":")) for c in cases)
        lines.append(json.dumps(head)[:-1] + ', "cases": [\n' + body + "]}")
    open(out, "w").write("[\n" + ",\n".join(lines) + "\n]\n")
    print({g[0]: len(g[4]) for g in groups})


main(*sys.argv[1:])
