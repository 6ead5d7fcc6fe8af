// The library's face: with `import Pentimento` alone a caller names methods and their settings, pictures and masks in
// files and in memory, sizes and errors.
@_exported import Editing
@_exported import ImageFiles
@_exported import Pictures
@_exported import Tensors
