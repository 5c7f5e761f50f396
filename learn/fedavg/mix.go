package fedavg

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

// mix returns for each part the weighted mean of all parts but the far ones that are the farthest from it. Its time grows with the
// square of the number of parts.
func mix(parts []part, far int) []part {
	distances := distancesOf(parts)
	sum, total := make([]float64, len(parts[0].values)), 0.0
	for _, p := range parts {
		total += p.weight
		for i, v := range p.values {
			sum[i] += p.weight * v
		}
	}
	mixed := make([]part, len(parts))
	each(len(parts), func(n int) {
		values, weight := slices.Clone(sum), total
		for _, other := range farthest(distances[n], n, far) {
			p := parts[other]
			weight -= p.weight
			for i, v := range p.values {
				values[i] -= p.weight * v
			}
		}
		for i := range values {
			values[i] /= weight
		}
		mixed[n] = part{values, weight}
	})
	return mixed
}

// farthest returns the numbers of the count largest distances from the part number own, which is not one of them. Of equal
// distances, the later is taken.
func farthest(distances []float64, own, count int) []int {
	order := make([]int, 0, len(distances))
	for n := range distances {
		if n != own {
			order = append(order, n)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distances[a], distances[b]) })
	return order[len(order)-count:]
}

// distancesOf returns the squares of the distances of all pairs of parts.
func distancesOf(parts []part) [][]float64 {
	all := make([][]float64, len(parts))
	for n := range all {
		all[n] = make([]float64, len(parts))
	}
	each(len(parts), func(n int) {
		for other := range n {
			square := 0.0
			for i, v := range parts[n].values {
				d := v - parts[other].values[i]
				square += d * d
			}
			all[n][other], all[other][n] = square, square
		}
	})
	return all
}

// each calls do with 0 to count-1, on as many processors as there are, and returns once all are done.
func each(count int, do func(n int)) {
	var running sync.WaitGroup
	next := make(chan int)
	for range min(count, runtime.GOMAXPROCS(0)) {
		running.Go(func() {
			for n := range next {
				do(n)
			}
		})
	}
	for n := range count {
		next <- n
	}
	close(next)
	running.Wait()
}
