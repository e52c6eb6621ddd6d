// Package bucket prepares the buckets of the platform's database.
package bucket

import "go.etcd.io/bbolt"

// Create creates the buckets that are missing. If none is missing it writes
// nothing, as the platform must also start if the disk is full.
func Create(db *bbolt.DB, names ...string) error {
	missing := false
	err := db.View(func(tx *bbolt.Tx) error {
		for _, name := range names {
			missing = missing || tx.Bucket([]byte(name)) == nil
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range names {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
}
