// Package browser tests the dashboard in a real browser, headless Chromium, with
// the built program and real deployments behind it.
package browser
