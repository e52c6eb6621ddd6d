package httpapi

// Deliveries returns how many deliveries are being accepted or wait for that.
func (a *API) Deliveries() int { return int(a.deliveries.present.Load()) }
