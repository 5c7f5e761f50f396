package homeassistant

import "time"

// peers are the nodes of a group that make devices known: the one whose name is the smallest makes known those that all
// of them know. Alone, a node makes known everything.
type peers struct {
	own    string
	group  bool
	online map[string]bool
	// since is when the connection came; zero while there is none.
	since time.Time
}

func newPeers(node Node) peers {
	return peers{own: node.Name, group: node.Group != "", online: map[string]bool{}}
}

func (p *peers) connected(now time.Time) { p.since = now }

// lost forgets the others: their messages come again with the connection.
func (p *peers) lost() {
	p.since = time.Time{}
	clear(p.online)
}

func (p *peers) note(node string, online bool) {
	if online {
		p.online[node] = true
	} else {
		delete(p.online, node)
	}
}

// leads reports whether this node makes known what all nodes know. In a group it does not before it knows the
// others, settle after the connect.
func (p *peers) leads(now time.Time, settle time.Duration) bool {
	if !p.group {
		return true
	}
	if p.since.IsZero() || now.Sub(p.since) < settle {
		return false
	}
	for node := range p.online {
		if node < p.own {
			return false
		}
	}
	return true
}
