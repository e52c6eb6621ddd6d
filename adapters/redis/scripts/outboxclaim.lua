-- ARGV: lease in microseconds, the maximum number, then the ids that the caller works
-- on. Returns others whose lease has expired. If the answer is lost, their new
-- lease expires.
local outbox, ends = K .. 'outbox', digits(now + tonumber(ARGV[6]))
for i = 8, #ARGV do
	redis.call('ZADD', outbox, 'XX', ends, ARGV[i])
end
-- If the clock was set back, no lease lasts longer than one that begins now.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', outbox, '(' .. ends, '+inf')) do
	redis.call('ZADD', outbox, ends, id)
end
local due = redis.call('ZRANGEBYSCORE', outbox, '-inf', digits(now), 'LIMIT', 0, ARGV[7])
for _, id in ipairs(due) do
	redis.call('ZADD', outbox, ends, id)
end
return due
