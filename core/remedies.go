package core

// Remedy returns what to do about a failure of that code, as a sentence. It is
// "" if the code's sentence includes it.
func Remedy(code Code) string { return remedies[code] }

// message returns the code's sentence with its remedy.
func message(code Code) string {
	if remedy := Remedy(code); remedy != "" {
		return Reason(code) + ". " + remedy
	}
	return Reason(code)
}

// remedies is for the codes whose sentences were published in 2012 and may not
// change.
var remedies = map[Code]string{
	CodeFailedToStorePayload: "Nothing was stored; send the delivery again after the time in Retry-After",
	CodeProviderNotSupported: "Send what the webhooks of a supported provider send, as application/json or as the form field payload",
	CodeNoPackageJSON:        "Check that package.json is in the repository at that commit, in its top folder or the one that the parameter root names; for a private repository pair an account with POST /1/auth/github, then redeliver the webhook",
	CodeBadCreds:             "Send user:password or user:apiToken, or name the user with ?user= and sign the delivery with one of the user's webhook secrets",
	CodeDownloadTarball:      "Redeliver the webhook later; if it fails again, check that the paired account may read the repository",
	CodeUploadTarball:        "Correct the cause and push again; the entry has the output of the build",
	CodeStartApp:             "What ran before goes on running; correct the cause and push again. The app's log has the rest",
	CodeNoPayload:            "Send the JSON payload as the body or as the form field payload; with curl: -d @file",

	CodeNotYou:         "Use the path with your own user name",
	CodeAuthServerDown: "Try again later; the log of the server has the platform's answer",
	CodeUnauthorized:   "Check both; an API token is sent in place of the password",
	CodeNoUsername:     "The platform returned an account without a name",

	CodeStatusNotFound:  "Check the id, or the name of the application, in the list of entries at /1/status/USER/webhooks",
	CodeStatusGetByID:   "Try again later; the log of the server has the cause",
	CodeStatusQueryFail: "Try again later; the log of the server has the cause",

	CodeChangesTimeout: "Nothing changed in the time that the parameter timeout allows; resume with since and the last seq",
	CodeChangesFatal:   "Resume with since and the last seq",

	CodeGetUserFailed:       "Try again later; the log of the server has the platform's answer",
	CodeUpdateUserFailed:    "The token was not stored; try again later",
	CodeNoCredentials:       `Send {"credentials":"login:token"} as the body`,
	CodeBadCredentials:      "Send a personal access token in place of the password",
	CodeGitHubPairingFailed: "Send a personal access token of that GitHub account, not its password",

	CodeNotPaired:          "Pair it with a token that may manage webhooks (webhooks pair, or POST /1/auth)",
	CodeConnectFailed:      "Follow what the reason says, then connect it again",
	CodeForgePairingFailed: "Send an access token of that account, not its password",
	CodeAuthForgeUnknown:   "Ask the operator of this server to configure the forge, or name another one with the parameter forge",
	CodePasswordRequired:   "Send the password instead",
	CodeAccountNotFound:    "List what there is by GET with the path without the name",
	CodeAccountConflict:    "Choose another name, or replace it with \"replace\": true",
	CodeNotificationFailed: "Check the address of the service, and replace it if it is wrong",
	CodeAppCrashed:         "Correct it and push again; its log has more",
	CodeOtherSource:        "Deploy it as another app with app=NAME in the webhook's URL, or move the app with webhooks apps source",
	CodeTargetFixed:        "Change the URL back, give that webhook a secret of its own (webhooks secrets add), or have the next delivery say what this one is for (webhooks secrets change)",
	CodeForgeUnknown:       "Remove the webhook, or ask the operator of this server to add the forge",

	CodeTarCorrupt:   "Redeliver the webhook",
	CodeTarNoPackage: "Push a commit that has a package.json",
}
