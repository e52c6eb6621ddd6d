// Package accounts keeps the platform's users, their API tokens and their
// third-party tokens, and authenticates callers.
//
// # Storage
//
//	bucket      key            value
//	users       USER           JSON: hash of the password, email, times
//	tokens      USER 0 NAME    JSON: SHA-256 of the token, its prefix, time
//	thirdparty  USER 0 ID      JSON: the token, sealed, and its metadata
//	codes       USER           JSON: SHA-256 of the code to set a password with, its expiry
//
// Passwords are hashed with argon2id, with the parameters of OWASP's password
// storage cheat sheet (19 MiB, 2 passes, 1 lane). API tokens have 256 random
// bits, so one SHA-256 is enough for them. Third-party tokens must be read
// again, so they are sealed; see package seal.
package accounts
