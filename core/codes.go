package core

// The codes of the API as it was published in 2012, with its sentences.
const (
	CodeFailedToStorePayload Code = "deploy:db:failed_to_store_payload"
	CodeProviderNotSupported Code = "deploy:provider:not_supported"
	CodeNoPackageJSON        Code = "deploy:github:no_pkg_json"
	CodeBadCreds             Code = "deploy:auth:bad_creds"
	CodeDownloadTarball      Code = "deploy:github:download_tarball"
	CodeUploadTarball        Code = "deploy:nodejitsu:upload_tarball"
	CodeStartApp             Code = "deploy:nodejitsu:start_app"
	CodeNoPayload            Code = "deploy:no_payload"

	CodeNotYou         Code = "mw:auth:not_you"
	CodeAuthServerDown Code = "mw:auth:auth_server_down"
	CodeUnauthorized   Code = "mw:auth:unauthorized"
	CodeNoUsername     Code = "mw:auth:no_username"

	CodeStatusNotFound  Code = "status:db:not_found"
	CodeStatusGetByID   Code = "status:db:get_by_id"
	CodeStatusQueryFail Code = "status:db:query_fail"

	CodeChangesTimeout Code = "status:changes:timeout"
	CodeChangesFatal   Code = "status:changes:fatal"

	CodeGetUserFailed       Code = "auth:github:get_user_failed"
	CodeUpdateUserFailed    Code = "auth:github:update_user_failed"
	CodeNoCredentials       Code = "auth:github:no_credentials"
	CodeBadCredentials      Code = "auth:github:bad_credentials"
	CodeGitHubPairingFailed Code = "auth:github:github_pairing_failed"
)

// The published family deploy:tar:*, "a system failure when extracting the tar".
const (
	CodeTarCorrupt   Code = "deploy:tar:corrupt"
	CodeTarUnsafe    Code = "deploy:tar:unsafe"
	CodeTarTooLarge  Code = "deploy:tar:too_large"
	CodeTarNoPackage Code = "deploy:tar:no_package"
)

// Codes that were added later.
const (
	CodeBadSignature       Code = "deploy:auth:bad_signature"
	CodePayloadTooLarge    Code = "deploy:payload:too_large"
	CodePayloadEncoding    Code = "deploy:payload:encoding"
	CodeBadPackageJSON     Code = "deploy:package:invalid"
	CodeNotHeld            Code = "deploy:release:not_held"
	CodeConflict           Code = "deploy:queue:conflict"
	CodeInterrupted        Code = "deploy:worker:interrupted"
	CodeDeployParams       Code = "deploy:params:invalid"
	CodeGateFailed         Code = "deploy:gate:failed"
	CodeForgeUnknown       Code = "deploy:forge:not_configured"
	CodeRedeliverLive      Code = "deploy:redeliver:live"
	CodeRedeliverNoPayload Code = "deploy:redeliver:no_payload"
	CodeCancelOver         Code = "deploy:cancel:over"
	CodeCancelStarting     Code = "deploy:cancel:starting"
	CodeAppCrashed         Code = "deploy:app:crashed"
	CodeOtherSource        Code = "deploy:app:other_source"
	CodeTargetFixed        Code = "deploy:params:fixed"

	CodeStatusParams       Code = "status:params:invalid"
	CodeChangesGone        Code = "status:changes:gone"
	CodeAuthParams         Code = "auth:params:invalid"
	CodeAuthForgeUnknown   Code = "auth:forge:not_configured"
	CodeConnectParams      Code = "connect:params:invalid"
	CodeNotPaired          Code = "connect:account:not_paired"
	CodeConnectFailed      Code = "connect:forge:failed"
	CodeForgePairingFailed Code = "auth:forge:pairing_failed"
	CodePasswordRequired   Code = "auth:account:password_required"
	CodeAccountNotFound    Code = "auth:account:not_found"
	CodeAccountConflict    Code = "auth:account:conflict"
	CodeNotificationFailed Code = "auth:notification:failed"

	CodeHTTPNotFound         Code = "http:not_found"
	CodeHTTPMethodNotAllowed Code = "http:method_not_allowed"
	CodeHTTPCrossOrigin      Code = "http:cross_origin"
	CodeHTTPUnavailable      Code = "http:unavailable"
	CodeHTTPTooManyTries     Code = "http:too_many_tries"
	CodeInternal             Code = "http:internal"
)

// Codes of the platform's API, whose answers name them by their last part.
const (
	CodePlatformInvalid          Code = "platform:request:invalid"
	CodePlatformIncomplete       Code = "platform:request:incomplete"
	CodePlatformTooLarge         Code = "platform:request:too_large"
	CodePlatformNoSuchPath       Code = "platform:request:no_such_path"
	CodePlatformMethodNotAllowed Code = "platform:request:method_not_allowed"
	CodePlatformNotImplemented   Code = "platform:request:not_implemented"
	CodePlatformUnauthorized     Code = "platform:auth:unauthorized"
	CodePlatformForbidden        Code = "platform:auth:forbidden"
	CodePlatformWrongCode        Code = "platform:auth:wrong_code"
	CodePlatformTooManyTries     Code = "platform:auth:too_many_tries"
	CodePlatformUserNotFound     Code = "platform:user:not_found"
	CodePlatformUserConflict     Code = "platform:user:conflict"
	CodePlatformTokenNotFound    Code = "platform:token:not_found"
	CodePlatformTokenConflict    Code = "platform:token:conflict"
	CodePlatformAppNotFound      Code = "platform:app:not_found"
	CodePlatformAppConflict      Code = "platform:app:conflict"
	CodePlatformHostConflict     Code = "platform:host:conflict"
	CodePlatformSuperseded       Code = "platform:app:superseded"
	CodePlatformNoSnapshots      Code = "platform:app:no_snapshots"
	CodePlatformStartFailed      Code = "platform:app:start_failed"
	CodePlatformSnapshotNotFound Code = "platform:snapshot:not_found"
	CodePlatformSnapshotConflict Code = "platform:snapshot:conflict"
	CodePlatformBuildFailed      Code = "platform:snapshot:build_failed"
	CodePlatformBusy             Code = "platform:server:busy"
	CodePlatformNoSpace          Code = "platform:server:no_space"
	CodePlatformInternal         Code = "platform:server:internal_error"
)

// Reason returns the catalogue's sentence for code: the published
// one if the code was published in 2012. For a code that is not in the catalogue it returns
// the sentence of [CodeInternal].
func Reason(code Code) string {
	if reason, ok := reasons[code]; ok {
		return reason
	}
	return reasons[CodeInternal]
}

// Codes returns all codes of the catalogue.
func Codes() []Code {
	codes := make([]Code, 0, len(reasons))
	for code := range reasons {
		codes = append(codes, code)
	}
	return codes
}

const tarFailure = "There was a system failure when extracting the tar"

// reasons is the catalogue. It is never changed.
var reasons = map[Code]string{
	CodeFailedToStorePayload: "Our database isn't responding or timed out",
	CodeProviderNotSupported: "You tried to deploy an invalid payload",
	CodeNoPackageJSON:        "We couldn't get package.json from github. This may happen because you are trying to deploy a private repo",
	CodeBadCreds:             "You didn't provide valid Basic Auth in your HTTP request",
	CodeDownloadTarball:      "Failed to get the tarball from github",
	CodeUploadTarball:        "Failed to upload the tarball to nodejitsu",
	CodeStartApp:             "Failed to start nodejitsu application",
	CodeNoPayload:            "You didn't provide a payload",

	CodeNotYou:         "You are trying to get status that don't belong to you",
	CodeAuthServerDown: "We couldn't verify your credentials",
	CodeUnauthorized:   "Your username/password combination doesn't match our records",
	CodeNoUsername:     "Your user document is in a bad state, contact support",

	CodeStatusNotFound:  "Didn't find that log entry",
	CodeStatusGetByID:   "The database couldn't complete your query",
	CodeStatusQueryFail: "The database couldn't complete your query",

	CodeChangesTimeout: "The socket connection timeout. Please re-connect",
	CodeChangesFatal:   "There was an error in the underlying connection",

	CodeGetUserFailed:       "When retrieving the user from the nodejitsu api we got a non 200 response. The api might be down, or perhaps authorization credentials where changed",
	CodeUpdateUserFailed:    "We tried to update the user but it failed. Just like above, reasons are varied so contact support if you see this",
	CodeNoCredentials:       "Credentials were not provided. Check query string parameters for details",
	CodeBadCredentials:      "Credentials were provided but not in the username:password format. Check query string parameters for details",
	CodeGitHubPairingFailed: "We tried to authenticate with github but it failed",

	CodeTarCorrupt:   tarFailure + ": it is damaged or truncated",
	CodeTarUnsafe:    tarFailure + ": it contains an unsafe path or an unsupported type of file; remove it from the repository",
	CodeTarTooLarge:  tarFailure + ": it is larger than the server allows; remove large files from the repository",
	CodeTarNoPackage: tarFailure + ": it contains no files",

	CodeBadSignature:       "The delivery's signature doesn't match; check that the webhook's secret is the one stored here",
	CodePayloadTooLarge:    "The payload is larger than 25 MiB; send a smaller one",
	CodePayloadEncoding:    "The request's Content-Encoding is not supported; send the payload uncompressed",
	CodeBadPackageJSON:     "package.json doesn't describe an app we can deploy; correct it and push again",
	CodeNotHeld:            "Only a held deployment can be released; see its status",
	CodeConflict:           "The deployment was changed at the same time; try again",
	CodeInterrupted:        "The deployment was interrupted too often; push again, or ask the operator for the log",
	CodeDeployParams:       "A parameter of the request is invalid; see the documentation of POST /1/deploy",
	CodeGateFailed:         "We couldn't find out what the push has to wait for; redeliver the webhook later",
	CodeForgeUnknown:       "This server reads no repositories from that forge",
	CodeRedeliverLive:      "The delivery has no outcome yet; wait for it, or cancel it first",
	CodeRedeliverNoPayload: "There is no payload that could be delivered again; push again, or roll back to the snapshot",
	CodeCancelOver:         "Only a pending or held deployment can be canceled; see its status",
	CodeCancelStarting:     "The app is being started, so it is too late to cancel; roll back when that has ended",
	CodeAppCrashed:         "The app crashed",
	CodeOtherSource:        "The app belongs to another repository, branch or folder",
	CodeTargetFixed:        "The webhook's URL asks for something else than its secret is for",

	CodeStatusParams: "A parameter of the request is invalid; see the documentation of GET /1/status",
	CodeChangesGone:  "The changes after that seq are no longer kept; read the status and start from the oldest seq",

	CodeConnectParams:      "A parameter of the request is invalid; see the documentation of POST /1/connect",
	CodeNotPaired:          "Your account is not paired with that forge",
	CodeConnectFailed:      "The webhook could not be connected",
	CodeForgePairingFailed: "We tried to authenticate with the forge but it failed",
	CodeAuthForgeUnknown:   "This server reads no repositories from that forge",
	CodeAuthParams:         "A parameter of the request is invalid; see the documentation of /1/auth and /1/users",
	CodeHTTPCrossOrigin:    "A page of another site sent this request; send it from a program or from a page of this service",
	CodePasswordRequired:   "An API token may not do that",
	CodeAccountNotFound:    "The account has nothing of that name",
	CodeAccountConflict:    "The account has something of that name already, and programs may be using it",
	CodeNotificationFailed: "The message could not be sent",

	CodeHTTPNotFound:         "The address was not found; check its spelling against the documentation",
	CodeHTTPMethodNotAllowed: "This address doesn't support that method; the Allow header lists those that it supports",
	CodeHTTPUnavailable:      "The service is starting, stopping or too busy; try again in a moment",
	CodeHTTPTooManyTries:     "There were too many wrong passwords; wait as long as Retry-After says, and check the one you send",
	CodeInternal:             "Something went wrong on our side; contact support with the uuid of this response",

	CodePlatformInvalid:          "The request is invalid; see the message",
	CodePlatformIncomplete:       "The body ended early; send it again",
	CodePlatformTooLarge:         "The body is larger than the platform allows; send a smaller one",
	CodePlatformNoSuchPath:       "The API has no such path",
	CodePlatformMethodNotAllowed: "This path doesn't support that method; the Allow header lists those that it supports",
	CodePlatformNotImplemented:   "This platform does not do that; see the message",
	CodePlatformUnauthorized:     "The username or password is wrong",
	CodePlatformForbidden:        "It belongs to another user",
	CodePlatformWrongCode:        "The code is wrong, was used, or is older than a day. Ask the operator of this platform for a new one (`webhooks users invite`)",
	CodePlatformTooManyTries:     "There were too many wrong passwords; wait as long as Retry-After says, and check the one you send",
	CodePlatformUserNotFound:     "There is no such user",
	CodePlatformUserConflict:     "A user of that name exists already",
	CodePlatformTokenNotFound:    "There is no such token",
	CodePlatformTokenConflict:    "There are too many tokens; remove one first",
	CodePlatformAppNotFound:      "There is no such app",
	CodePlatformAppConflict:      "The app exists already, or is being changed; see the message",
	CodePlatformHostConflict:     "The subdomain or domain is another app's; choose another one in package.json",
	CodePlatformSuperseded:       "A later deployment of the app came before this one",
	CodePlatformNoSnapshots:      "Cannot start application with no snapshots",
	CodePlatformStartFailed:      "The app did not start; the message has its last lines",
	CodePlatformSnapshotNotFound: "There is no such snapshot",
	CodePlatformSnapshotConflict: "The snapshot runs; stop the app, or start another snapshot first",
	CodePlatformBuildFailed:      "The build failed; its output says why",
	CodePlatformBusy:             "The platform is starting, stopping or too busy; try again in a moment",
	CodePlatformNoSpace:          "The disk of the platform is full, so nothing can be changed; its operator must make room",
	CodePlatformInternal:         "The platform failed; its log says why. Try again later",
}
