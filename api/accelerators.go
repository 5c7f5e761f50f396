package api

import "edgelens"

func newModelAccelerators(list []edgelens.ModelAccelerator) []ModelAccelerator {
	all := make([]ModelAccelerator, 0, len(list))
	for _, a := range list {
		described := ModelAccelerator{
			Name: ModelAcceleratorName(a.Name), Adapter: textOrNil(a.Adapter), State: ModelAcceleratorState(a.State), Problem: textOrNil(a.Problem), Runs: a.Runs,
		}
		if a.Checked != nil {
			described.Checked = newKernelCheck(*a.Checked)
		}
		all = append(all, described)
	}
	return all
}
