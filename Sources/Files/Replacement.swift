import Platform

/// A draft that has taken its place, and the way back while others have not.
struct Replacement {
  private enum WayBack {
    /// The old file lies under the draft's name.
    case exchange(old: String)
    /// The old file lies under another name.
    case rename(old: String)
    /// There was none.
    case remove
    case none
  }

  let place: OutputPlace
  private let wayBack: WayBack

  /// - Parameter isFinal: there is no need of a way back.
  /// - Returns: nil, and `errno`, if the draft is still one.
  init?(draft: String, place: OutputPlace, isFinal: Bool) {
    self.place = place
    if isFinal {
      guard rename(draft, place.path) == 0 else { return nil }
      wayBack = .none
    } else if access(place.path, F_OK) != 0 {
      guard rename(draft, place.path) == 0 else { return nil }
      wayBack = .remove
    } else if exchange(draft, place.path) == 0 {
      // A folder may have appeared there, and is exchanged like a file.
      guard !FileReader.isFolder(draft) else {
        _ = exchange(draft, place.path)
        errno = EISDIR
        return nil
      }
      wayBack = .exchange(old: draft)
    } else {
      guard [EINVAL, ENOSYS, ENOTSUP].contains(errno), let old = Self.secondName(for: place) else {
        return nil
      }
      guard rename(draft, place.path) == 0 else {
        let code = errno
        // Of two names of one file, rename removes none.
        if rename(old, place.path) == 0 { unlink(old) }
        errno = code
        return nil
      }
      wayBack = .rename(old: old)
    }
  }

  /// A name under which the old file stays; where a file has but one (FAT), it is moved there.
  private static func secondName(for place: OutputPlace) -> String? {
    Draft.create(in: place.folder) { link(place.path, $0) }?.name
      ?? Draft.create(in: place.folder) { rename(place.path, $0) }?.name
  }

  /// Puts the old file in its place again.
  func takeBack() {
    switch wayBack {
    case .exchange(let old): if exchange(old, place.path) == 0 { unlink(old) }
    case .rename(let old): rename(old, place.path)
    case .remove: unlink(place.path)
    case .none: break
    }
  }

  /// Gives the old file up.
  func keep() {
    switch wayBack {
    case .exchange(let old), .rename(let old): unlink(old)
    case .remove, .none: break
    }
  }
}
