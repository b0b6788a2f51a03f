// Package notify is what the ways out of slowburn have in common: what may be said about an event
// ([Facts], as plain text), and how it is sent over HTTP ([Post]) so that the outbox knows what
// became of it.
//
// A leg is two halves. Compose is a pure function of facts that writes down what is owed; Deliver
// takes one entry to its receiver and sorts every answer into a class of failure. Packages
// pagerduty, alertmanager and webhook are made of the two; package slack, which came first and
// says more, has its own words and shares the way of sending.
package notify
