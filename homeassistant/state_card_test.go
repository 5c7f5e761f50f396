package homeassistant_test

import (
	"strings"
	"testing"
	"time"

	"edgelens"
)

const gate = "edgelens-state-gate"

func stateOfGate(label string) edgelens.State {
	s := edgelens.State{Name: "gate", Device: "cam1", Label: label, Labels: []string{"closed", "none", "open"}}
	if label != "" {
		s.Since, s.Confidence = time.Unix(1000, 0), 0.97
	}
	return s
}

// A state is a sensor with its labels as options; what Home Assistant gets is pinned. It is unavailable while it is stale.
func TestStateEntity(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		h.states = []edgelens.State{stateOfGate("")}
		h.run()
		h.settle()
		values, presence := "edgelens/v1/homeassistant/"+gate+"/state", "edgelens/v1/homeassistant/"+gate+"/availability"
		golden(t, "state", h.broker.kept(configTopic(gate)))
		if got := h.broker.kept(values); !strings.Contains(got, `"state":null`) || h.broker.kept(presence) != "online" {
			t.Errorf("unknown: %s, %s", got, h.broker.kept(presence))
		}
		h.change(func() { h.states[0] = stateOfGate("open") })
		h.settle()
		golden(t, "state_state", h.broker.kept(values))
		h.change(func() { h.states[0].Labels = []string{"ajar", "closed", "open"} }) // another version of a head went live
		h.settle()
		if got := h.broker.kept(configTopic(gate)); !strings.Contains(got, `["ajar","closed","open"]`) {
			t.Errorf("other labels: %s", got)
		}
		h.change(func() { h.states[0].Stale = true })
		h.settle()
		if h.broker.kept(presence) != "offline" {
			t.Error("a stale state is available")
		}
		h.change(func() { h.states = nil })
		h.settle()
		if h.broker.kept(configTopic(gate)) != "" || h.broker.kept(values) != "" {
			t.Error("a state that is gone is still retained")
		}
	})
}

// With a label that means on, it is a binary sensor of a class.
func TestStateAsSwitch(t *testing.T) {
	bubble(t, func(t *testing.T, h *house) {
		one := stateOfGate("closed")
		one.On, one.Class = "open", "garage_door"
		h.states = []edgelens.State{one}
		h.run()
		h.settle()
		golden(t, "state_switch", h.broker.kept(configTopic(gate)))
		if got := h.broker.kept("edgelens/v1/homeassistant/" + gate + "/state"); !strings.Contains(got, `"on":false`) {
			t.Errorf("closed: %s", got)
		}
	})
}
