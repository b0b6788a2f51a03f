// Package notify is what all receivers have in common: what they are told ([Facts]), what one is
// ([Receiver]) and how slowburn.yaml describes its kind ([Kind]), and how something is sent over
// HTTP ([Post]) so that the outbox knows what became of it.
//
// A receiver is two halves. Event and Acknowledged are pure functions of facts that write down what
// is owed; Deliver takes one entry there and sorts every answer into a class of failure. Each
// receiver is a package below this one, and package receivers lists their kinds. What they say is
// made by package sentences.
package notify
