package ledger

// watchers are all callers that wait for changes.
type watchers struct {
	jobs   *jobWatchers
	events *subscribers
	outbox *feeds
}

func newWatchers() *watchers {
	return &watchers{jobs: newJobWatchers(), events: newSubscribers(), outbox: newFeeds()}
}

// announce notifies those who wait for a change, which is durable.
func (w *watchers) announce(c *change) {
	for _, id := range c.finished {
		w.jobs.finish(id)
	}
	if c.events {
		w.events.wake()
	}
	w.outbox.ready(c.ready)
}

// close closes the channels of those who wait for events and for the outbox.
func (w *watchers) close() {
	w.events.close()
	w.outbox.close()
}
