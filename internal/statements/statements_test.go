package statements_test

import (
	"reflect"
	"testing"

	"edgelens/internal/statements"
)

func TestSplit(t *testing.T) {
	type words = []statements.Word
	for text, want := range map[string][]words{
		"":               nil,
		" ; ;\n":         nil,
		"hot threshold":  {{{Text: "hot"}, {Text: "threshold"}}},
		"a k=v;b":        {{{Text: "a"}, {Text: "k", Key: "k", Value: "v"}}, {{Text: "b"}}},
		`a k="x; y=\"z"`: {{{Text: "a"}, {Text: "k", Key: "k", Value: `x; y="z`}}},
		"k=":             {{{Text: "k", Key: "k"}}},
	} {
		got, err := statements.Split(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	if _, err := statements.Split(`a k="open`); err == nil || err.Error() != `k: the quotation mark at "\"open" is not closed` {
		t.Errorf("an open quotation mark: %v", err)
	}
}
