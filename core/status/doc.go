// Package status reads the outcomes of deliveries: the entries of a user, one of
// them, and the feed of their changes.
//
// # The feed
//
// The store keeps a log of changes for each user; see [Feed]. If a user's feed
// has readers, one goroutine follows that log: the store wakes it, it reads what
// is new, encodes each change once and keeps the last of them in a window,
// bounded by count and by bytes. The readers are cursors on that window:
//
//	store ──changes──▶ follower ──▶ window │a│b│c│d│e│
//	                                        ▲     ▲ ▲
//	                                   readers, woken together
//
// A reader whose cursor is before the window catches up from the store. A
// wake-up only says that the log may have grown, and the follower also polls
// every few seconds: a lost wake-up delays a change but never loses it.
//
//	reader, err := service.Subscribe(ctx, "dscape", status.Since{Now: true})
//	if err != nil {
//		return err
//	}
//	defer reader.Close()
//	for {
//		wake := reader.Wake() // before Poll, so that no change is missed
//		lines, err := reader.Poll(ctx)
//		if err != nil {
//			return err
//		}
//		write(lines)
//		if len(lines) == 0 {
//			<-wake
//		}
//	}
package status
