package api

import "edgelens"

func newKernelCheck(c edgelens.KernelCheck) *KernelCheck {
	check := &KernelCheck{Result: KernelCheckResult(c.Result), Rejected: []RejectedKernels{}}
	if c.Reason != "" {
		check.Reason = &c.Reason
	}
	if !c.At.IsZero() {
		check.Against, check.Images, check.ClearImages, check.OtherFirstClasses = &c.Against, &c.Images, &c.ClearImages, &c.OtherFirstClasses
		check.Correlation, check.At = c.Correlation, &c.At
	}
	for _, r := range c.Rejected {
		rejected := RejectedKernels{
			Runtime: r.Runtime, Version: r.Version, Delegate: r.Delegate, Reason: r.Reason, Against: r.Against,
			Images: r.Images, ClearImages: r.ClearImages, OtherFirstClasses: r.OtherFirstClasses, Correlation: r.Correlation, At: r.At,
		}
		if r.Accelerator != "" {
			rejected.Accelerator = &r.Accelerator
		}
		check.Rejected = append(check.Rejected, rejected)
	}
	return check
}
