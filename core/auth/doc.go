// Package auth is the use case of knowing who calls: it proves credentials,
// tells whether somebody may see what belongs to a user, and pairs a user's
// account with one on GitHub.
//
//	account, err := service.Authenticate(ctx, credentials)
//	if err != nil {
//		return err // mw:auth:*
//	}
//	pairing, err := service.PairGitHub(ctx, account.Username, "octocat:ghp_…", core.AnyApp)
package auth
