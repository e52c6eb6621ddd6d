package builds

// Package is the part of a package.json that running an app needs.
type Package struct {
	Name    string
	Version string
	Start   string // scripts.start, or what stands for it; "" where the app has neither
	Node    string // engines.node; "" for any

	dependencies bool
}

// ReadPackage reads the package.json in the folder dir. It takes the shapes
// that old packages have, such as `engines` as a text or a list. It fails with
// a [Failure] where the file is missing or is no JSON object.
func ReadPackage(dir string) (Package, error) {
	return Package{}, nil
}
