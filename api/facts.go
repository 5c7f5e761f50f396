package api

import "edgelens"

// NewModelFacts returns facts in the form of the API, which the command line
// uses, too.
func NewModelFacts(f edgelens.ModelFacts) ModelFacts {
	facts := ModelFacts{
		Inputs: fileTensors(f.Inputs), Outputs: fileTensors(f.Outputs), Operators: []OperatorCount{},
		Quantization: f.Quantization, Parameters: f.Parameters, MultiplyAdds: f.MultiplyAdds, DelegateShare: f.DelegateShare,
		Metadata: orEmpty(f.Metadata), Files: orEmpty(f.Files), Advice: orEmpty(f.Advice),
	}
	for _, o := range f.Operators {
		facts.Operators = append(facts.Operators, OperatorCount{Name: o.Name, Type: o.Type, Count: o.Count, Delegated: o.Delegated})
	}
	return facts
}

func fileTensors(list []edgelens.Tensor) []FileTensor {
	tensors := []FileTensor{}
	for _, t := range list {
		f := FileTensor{Name: t.Name, Shape: orEmpty(t.Shape), Dtype: t.DType}
		if t.Scale != 0 {
			f.Quantization = &Quantization{Scale: t.Scale, ZeroPoint: t.ZeroPoint}
		}
		tensors = append(tensors, f)
	}
	return tensors
}

// orEmpty makes a list that is [] in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
