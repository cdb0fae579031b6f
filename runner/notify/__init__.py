"""Telling people: `messages` says what, `Notifier` keeps it in the outbox in the transaction of what it tells,
`Dispatcher` delivers it at least once through the `channels`. A delivery that fails is a `DeliveryError`, in its row.
"""
