package tune_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"edgelens/benchmarks/tune"
)

func TestSearchFindsTheBestAndStopsTheWorst(t *testing.T) {
	asked := map[int]int{}
	tried, err := tune.Search(t.Context(), []int{3, 9, 1, 7, 5, 2, 8, 4}, 4, nil, func(_ context.Context, c int) (float64, error) {
		asked[c]++
		return float64(c) + 0.1*float64(asked[c]%2), nil
	})
	if err != nil || tried[0].Candidate != 9 || tried[1].Candidate != 8 || len(tried) != 8 {
		t.Fatalf("%+v, %v", tried, err)
	}
	if asked[9] != 4 || asked[8] != 4 || asked[7] != 2 || asked[1] != 1 || asked[4] != 1 {
		t.Errorf("measured %v: 8, then 4, then 2 and 2", asked)
	}
	for i := 1; i < len(tried); i++ {
		if tried[i].Candidate > tried[i-1].Candidate {
			t.Errorf("not the best first: %+v", tried)
		}
	}
}

func TestFailedCandidateIsEliminated(t *testing.T) {
	tried, err := tune.Search(t.Context(), []string{"bad", "good"}, 3, nil, func(_ context.Context, c string) (float64, error) {
		if c == "bad" {
			return 1000, errors.New("it does not start")
		}
		return 1, nil
	})
	if err != nil || tried[0].Candidate != "good" || len(tried[0].Values) != 3 || tried[1].Err == nil {
		t.Errorf("%+v, %v", tried, err)
	}
}

func TestInterruptEndsSearch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var asked []int
	_, err := tune.Search(ctx, []int{1, 2, 3}, 3, nil, func(_ context.Context, c int) (float64, error) {
		asked = append(asked, c)
		cancel()
		return 1, nil
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(asked, []int{1}) {
		t.Errorf("%v, asked %v", err, asked)
	}
}

// A candidate to compare with is measured as often as the best, and ranks by its score.
func TestKeptCandidateStays(t *testing.T) {
	asked := map[int]int{}
	tried, err := tune.Search(t.Context(), []int{1, 9, 7, 5}, 4, func(c int) bool { return c == 1 }, func(_ context.Context, c int) (float64, error) {
		asked[c]++
		return float64(c), nil
	})
	if err != nil || len(tried) != 4 || tried[0].Candidate != 9 || asked[1] != 4 || asked[5] != 1 {
		t.Errorf("%+v, %v, measured %v", tried, err, asked)
	}
}
