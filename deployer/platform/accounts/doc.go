// Package accounts keeps the platform's users, their API tokens and their
// third-party tokens, and tells who somebody is.
//
// # What is written
//
//	bucket      key            value
//	users       USER           JSON: hash of the password, email, times
//	tokens      USER 0 NAME    JSON: SHA-256 of the token, its begin, time
//	thirdparty  USER 0 ID      JSON: the token, sealed, and what it is for
//	codes       USER           JSON: SHA-256 of the code to set a password by, its end
//
// Passwords are hashed with argon2id at the parameters that OWASP's password
// storage cheat sheet names (19 MiB, 2 passes, 1 lane). API tokens are random,
// 256 bits of it, so one SHA-256 is enough for them. Third-party tokens must
// be told again; they are sealed, see package seal.
package accounts
