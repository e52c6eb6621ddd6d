package doctor

import "github.com/nodejitsu/webhooks/deployer/platform/processes/group"

// checkRoot fails if a server that is root can't run apps as users of their own.
func checkRoot() error { return group.CheckInspect() }
