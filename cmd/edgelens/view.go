package main

import (
	"github.com/spf13/pflag"

	"edgelens"
)

// addViewFlags adds the flags of a view, which refuse invalid values before the command
// runs.
func addViewFlags(flags *pflag.FlagSet, view *edgelens.View) {
	flags.Func("fit", "`fit` of the images: center, stretch, sweep or pad (default: the model's, or preprocess.fit)", func(text string) error {
		view.Fit = edgelens.Fit(text)
		return view.Fit.Check()
	})
	flags.Func("region", "part of the images to recognize, `x,y,width,height` from 0 to 1 (default: all)", func(text string) error {
		return view.Region.UnmarshalText([]byte(text))
	})
}
