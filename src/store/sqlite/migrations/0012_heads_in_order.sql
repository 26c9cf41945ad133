-- What may be sent is looked for at every event: the heads of a webhook in their order, and of one
-- that is paused or held the pings alone, whatever else waits or is kept.
CREATE INDEX webhook_deliveries_heads_in_order ON webhook_deliveries (webhook_id, number)
    WHERE head = 1;
CREATE INDEX webhook_deliveries_pings ON webhook_deliveries (webhook_id, number)
    WHERE head = 1 AND event_seq = 0;
