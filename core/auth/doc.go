// Package auth authenticates callers, authorizes them to access what belongs to a
// user, and pairs a user's account with one on GitHub.
//
//	account, err := service.Authenticate(ctx, credentials)
//	if err != nil {
//		return err // mw:auth:*
//	}
//	pairing, err := service.PairGitHub(ctx, account.Username, "octocat:ghp_…", core.AnyApp)
package auth
