-- ARGV: lease in microseconds, how many at most, then the ids that the caller
-- tells already. Tells those that it is to tell too. Where its answer is lost,
-- they are owed again when the lease has run out.
local outbox, ends = K .. 'outbox', digits(now + tonumber(ARGV[6]))
for i = 8, #ARGV do
	redis.call('ZADD', outbox, 'XX', ends, ARGV[i])
end
-- Where the clock was set back, no lease lasts longer than one that begins now.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', outbox, '(' .. ends, '+inf')) do
	redis.call('ZADD', outbox, ends, id)
end
local due = redis.call('ZRANGEBYSCORE', outbox, '-inf', digits(now), 'LIMIT', 0, ARGV[7])
for _, id in ipairs(due) do
	redis.call('ZADD', outbox, ends, id)
end
return due
