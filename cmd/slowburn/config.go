package main

import (
	"errors"

	"github.com/slowburn-sre/slowburn/slo"
)

// refused is the answer to files that cannot be used: "no" if they were read and are wrong, else
// nobody knows.
func refused(err error) error {
	var problems slo.Problems
	if errors.As(err, &problems) {
		return answerNo(err)
	}
	return cannotFindOut(err)
}
