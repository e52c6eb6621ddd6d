//go:build !linux

package doctor

func checkRoot() error { return nil } // only Linux has the embedded platform
