// Package auth is the use case of knowing who calls: it authenticates users,
// checks that what is asked for is theirs, and pairs their account with one on a
// forge, so that the forge can be called with their access token. It also manages a
// user's own credentials: password, API tokens, webhook secrets, and the addresses of
// services that are notified.
//
//	account, err := service.Authenticate(ctx, credentials)
//	if err != nil {
//		return err // mw:auth:*
//	}
//	pairing, err := service.Pair(ctx, account.Username, auth.Pair{
//		Kind: "github", Credentials: core.NewSecret("octocat:ghp_…"),
//	})
package auth
