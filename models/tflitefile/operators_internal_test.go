package tflitefile

import "testing"

// Every operator that may be used has its number of inputs and outputs, by its rule or
// by countsOf, and only one of them.
func TestEveryOperatorIsCounted(t *testing.T) {
	for code := range parameters {
		_, ruled := rules[code]
		if _, counted := countsOf[code]; ruled == counted {
			t.Errorf("%s: rule %v, counts %v, want one of them", code, ruled, counted)
		}
	}
	for code := range countsOf {
		if _, allowed := parameters[code]; !allowed {
			t.Errorf("%s has counts and may not be used", code)
		}
	}
}
