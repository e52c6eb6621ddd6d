// Package safetar reads gzipped tar archives from untrusted sources. A
// [Reader] returns only members that can be unpacked into a folder, in order,
// without writing outside of it, and refuses an archive that is larger than
// its [Limits].
//
//	r := safetar.NewReader(body, safetar.Options{})
//	for {
//		member, err := r.Next()
//		if err == io.EOF {
//			break
//		}
//		if err != nil {
//			return err
//		}
//		// member.Name is below the archive's one top folder; its content is
//		// read from r.
//	}
//
// The rules are the same wherever an archive is re-written or unpacked:
//
//   - There is one top folder, which is stripped from the names.
//   - A name is relative, clean and valid UTF-8, without backslashes, at most
//     1024 bytes long and 64 parts deep, each part at most 255 bytes. Names that
//     differ only in case are different names.
//   - Members are regular files, folders, symbolic links, and hard links to an
//     earlier regular file. Devices, pipes and sparse files are refused.
//   - A name occurs once (that of a folder may be repeated), and only a folder has
//     members below it. So nothing is ever written through a link.
//   - A symbolic link that leads, or may lead, out of the tree is left out, and
//     [Reader.LeftOut] reports it.
//   - Owners, set-uid bits and the like are dropped.
//   - The archive ends as archives do, with two empty blocks and gzip's checksum.
package safetar
