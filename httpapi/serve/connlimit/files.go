package connlimit

// most is how many connections [Share] returns at most, for the memory they take.
const most = 1 << 16

// Share returns how many connections are one n-th of the files that the process
// may open, and at least one.
func Share(n int) int { return int(min(max(files()/uint64(max(n, 1)), 1), most)) } //nolint:gosec // it is at most 65536
