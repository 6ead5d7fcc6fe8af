# Sourced by Tools/check-batch: a folder as people have them, and what ImageMagick reads in its files and in the results.

# The scene, with no two quarters alike, in WIDTH and HEIGHT.
scene() {
  convert \( "$pairs/colour-ball.source.png" "$pairs/add-cone.source.png" +append \) \
    \( "$pairs/move-cube.source.png" "$pairs/remove-ball.source.png" +append \) -append -resize "$1x$2!" PNG24:"$3"
}

make_folder() {
  local i
  mkdir photos
  python3 - <<'PROFILE'
import struct
# sRGB as a matrix and a curve, adapted to D50 (IEC 61966-2-1; ICC.1:2022).
def fixed(*v): return b"".join(struct.pack(">i", round(x * 65536)) for x in v)
def xyz(*v): return b"XYZ \0\0\0\0" + fixed(*v)
curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
name = "sRGB".encode("utf-16-be")
tags = [(b"desc", b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(name), 28) + name),
        (b"wtpt", xyz(0.9642, 1, 0.8249)), (b"rXYZ", xyz(0.43607, 0.22249, 0.01392)),
        (b"gXYZ", xyz(0.38515, 0.71687, 0.09708)), (b"bXYZ", xyz(0.14307, 0.06061, 0.71410)),
        (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)]
table, body = struct.pack(">I", len(tags)), b""
for tag, data in tags:
    data += b"\0" * (-len(data) % 4)
    table += tag + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
    body += data
head = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(body), b"none", 0x04000000, b"mntr", b"RGB ", b"XYZ ")
head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + fixed(0.9642, 1, 0.8249)
open("srgb.icc", "wb").write(head.ljust(128, b"\0") + table + body)
PROFILE
  convert "$fixtures/profile-p3.png" p3.icc
  convert "$fixtures/profile-adobe.jpg" adobe.icc
  convert "$fixtures/profile-grey.png" grey.icc
  scene 640 480 scene.png
  # 1 to 8: a phone's: 4:2:0, EXIF with an orientation and a preview.
  convert scene.png -resize 160x -quality 60 preview.jpg
  for i in 1 2 3 4 5 6 7 8; do
    convert scene.png -quality 90 -sampling-factor 2x2 "photos/phone-$i.jpg"
    exiftool -q -overwrite_original -n -Orientation=$i -Make=Camera -Model=Phone -DateTimeOriginal='2026:05:17 12:00:00' \
      '-ThumbnailImage<=preview.jpg' "photos/phone-$i.jpg"
  done
  convert scene.png -quality 90 -interlace JPEG photos/progressive.jpg
  convert scene.png -colorspace Gray -quality 90 photos/grey.jpg
  convert scene.png -colorspace CMYK -quality 90 photos/cmyk.jpg
  convert scene.png -strip -profile p3.icc -quality 92 photos/p3.jpg
  convert scene.png -strip -profile adobe.icc -quality 92 photos/adobe.jpg
  convert scene.png -strip -profile p3.icc photos/p3-png.png
  convert scene.png -strip -resize 320x240 -colorspace Gray -profile grey.icc photos/grey-profile.png
  convert scene.png -depth 16 -resize 321x243! -define png:bit-depth=16 PNG48:photos/deep.png
  convert scene.png -colors 200 PNG8:photos/palette.png
  # Transparent where the hidden colour is another: a circle of the scene on a screaming ground.
  convert -size 640x480 xc:black -fill white -draw 'circle 320,240 320,20' -blur 0x6 alpha.png
  convert scene.png alpha.png -alpha off -compose CopyOpacity -composite PNG32:photos/alpha.png
  convert scene.png -resize 160x120 -colors 60 -transparent white PNG8:photos/palette-alpha.png
  convert scene.png -colorspace Gray alpha.png -alpha off -compose CopyOpacity -composite \
    -define png:color-type=4 photos/grey-alpha.png
  convert scene.png -colorspace Gray -define png:color-type=0 -depth 8 photos/grey-png.png
  convert scene.png -interlace PNG PNG24:photos/interlaced.png
  convert scene.png photos/scene.ppm
  convert scene.png -quality 90 -sampling-factor 1x1 -define jpeg:restart-interval=4 'photos/ein Bild, mit Umlaut ü.jpg'
  convert scene.png -gravity west -crop 120x480+0+0 +repage -quality 90 photos/narrow.jpg
  head -c 90000 scene.png >photos/broken.png
  echo "Not a picture." >photos/notes.txt
  # 50 megapixels, as a camera writes them.
  convert scene.png -filter triangle -resize 8660x5774! -quality 88 -sampling-factor 2x2 photos/large.jpg
  # Upright in a corner of the world: a phone's 12 megapixels.
  convert scene.png -rotate 270 -filter triangle -resize 3024x4032! -quality 88 photos/phone-large.jpg
  exiftool -q -overwrite_original -n -Orientation=6 photos/phone-large.jpg
  # A container that no reader here knows.
  printf '\0\0\0\30ftypheic\0\0\0\0mif1heic' >photos/live.heic
}

# read_picture FILE GEOMETRY: means of a grid in 8 bits of sRGB over white, as ImageMagick reads it.
read_picture() {
  local to=()
  # What has no profile is sRGB already.
  [ -z "$(exiftool -m -q -b -ICC_Profile "$1" 2>/dev/null | head -c 4 | tr '\0' x)" ] ||
    to=(-intent relative +black-point-compensation -profile srgb.icc)
  convert "$1" -auto-orient +repage "${to[@]}" -colorspace sRGB -background white -alpha remove -alpha off -type TrueColor \
    -scale "$2!" -depth 8 rgb:- | od -An -v -tu1 -w1
}

# Mean and largest difference of two such readings, in levels.
difference() {
  paste <(read_picture "$1" "$3") <(read_picture "$2" "$3") |
    awk '{ d = $1 > $2 ? $1 - $2 : $2 - $1; sum += d; n++; if (d > most) most = d } END { printf "%.2f %d", sum / n, most }'
}

folder() {
  needs convert exiftool python3
  make_folder
  local count status=0 named name mean most plain
  count=$(ls photos | wc -l)
  # A prompt that asks for little over a short way: what colours do is the reader's and the writer's.
  local how=(--method sdedit --strength 0.1 --steps 10 --prompt "shapes on the ground" -m "$package/Weights/embedded")
  "$package/Tools/measure-memory" --limit 256M --output figures -- \
    "$program" batch photos --out out "${how[@]}" --max-ram 256M >lines 2>errors || status=$?
  [ $status = 1 ] || wrong "status $status: $(tail -n 3 errors)"
  for name in broken.png notes.txt cmyk.jpg live.heic; do
    grep -q "photos/$name)" errors || wrong "$name is not named"
  done
  named=$(grep -c '(photos/' errors || true)
  [ "$named" = 4 ] || wrong "$named files are named as broken: $(grep '(photos/' errors)"
  plain=$(difference photos/interlaced.png out/interlaced.png 16x12)
  local file result wide got worst="0 0" checked=0
  for file in photos/*; do
    name=$(basename "$file")
    result=$(awk -v origin="\"$file\"" '/"output"/ { o = $0 } /"origin"/ { g = $0 } /^    }/ { if (index(g, origin)) { gsub(/.*: "|",?$/, "", o); print o } o = g = "" }' out/summary.json)
    case $name in broken.png | notes.txt | cmyk.jpg | live.heic) continue ;; esac
    [ -n "$result" ] && [ -e "out/$result" ] || { wrong "$name has no result"; continue; }
    wide=$(convert "$file" -auto-orient -format '%wx%h' info:) got=$(identify -format '%wx%h' "out/$result")
    [ "$wide" = "$got" ] || wrong "$name is $wide upright, its result $got"
    # The same scene went through the same network: a reading that is right differs by what the plain one does, and by two
    # levels where JPEG is decoded by another library and where means are rounded.
    read -r mean most <<<"$(difference "$file" "out/$result" 16x12)"
    awk -v a="$mean" -v b="${plain% *}" -v c="$most" -v d="${plain#* }" 'BEGIN { exit !(a <= 1.5 * b + 2 && c <= 1.5 * d + 12) }' ||
      wrong "$name differs by $mean levels in the mean and $most at most; the plain picture by $plain"
    worst=$(awk -v w="$worst" -v m="$mean" -v n="$name" 'BEGIN { split(w, p, " "); print (m > p[1] + 0 ? m " " n : w) }')
    # Transparency, depth and profile are the picture's own.
    if [ "$(identify -format %A "$file")" = Blend ] || [[ $name == *alpha* ]]; then
      cmp -s <(convert "$file" -alpha extract -depth 8 gray:-) <(convert "out/$result" -alpha extract -depth 8 gray:-) ||
        wrong "$name: its transparency is another"
    fi
    cmp -s <(exiftool -m -q -b -ICC_Profile "$file") <(exiftool -m -q -b -ICC_Profile "out/$result") || wrong "$name: its profile is another"
    [ "$name" != deep.png ] || [ "$(identify -format %z "out/$result")" = 16 ] || wrong "$name has no 16 bits any more"
    checked=$((checked + 1))
  done
  # A mask in a corner: all else is bit for bit what ImageMagick reads, upright.
  convert -size 64x48 xc:black -fill white -draw 'rectangle 0,0 20,16' mask.png
  status=0
  "$package/Tools/measure-memory" --limit 256M --output figures-mask -- \
    "$program" batch photos --out masked --mask mask.png --method inpaint --steps 2 --prompt "a ball" \
    -m "$package/Weights/embedded" --max-ram 256M >lines-mask 2>errors-mask || status=$?
  [ $status = 1 ] || wrong "status $status of masked edits: $(tail -n 3 errors-mask)"
  local same=0
  for file in photos/*; do
    name=$(basename "$file")
    case $name in broken.png | notes.txt | cmyk.jpg | live.heic) continue ;; esac
    result=$(awk -v origin="\"$file\"" '/"output"/ { o = $0 } /"origin"/ { g = $0 } /^    }/ { if (index(g, origin)) { gsub(/.*: "|",?$/, "", o); print o } o = g = "" }' masked/summary.json)
    [ -n "$result" ] && [ -e "masked/$result" ] || { wrong "$name has no masked result"; continue; }
    # The right half, samples as they are stored.
    local most
    most=$(convert "$file" -auto-orient +repage +profile '*' -gravity east -crop 50%x100%+0+0 +repage \
      \( "masked/$result" +profile '*' -gravity east -crop 50%x100%+0+0 +repage \) -alpha off \
      -metric AE -compare -format '%[distortion]' info: 2>/dev/null || echo unread)
    if [ "$most" = 0 ]; then same=$((same + 1)); else echo "folder: $name: $most samples of the untouched half differ" >&2; fi
  done
  echo "folder      $count files under 256 MB: $checked results as ImageMagick reads them (plain: $plain levels in the mean and at most; worst mean: $worst), $named named as broken"
  echo "            group at most $(awk '$1 == "peak" { printf "%.1f", $2 / 1e6 }' figures) MB, $(awk '$1 == "seconds" { print $2 }' figures) s; masked: $same untouched halves bit for bit, group at most $(awk '$1 == "peak" { printf "%.1f", $2 / 1e6 }' figures-mask) MB"
}
