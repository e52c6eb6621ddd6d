-- ARGV: 1 when a store is started, else 0.
--
-- Returns the epoch, the number of all changes, the time of Redis, when the newest
-- entry was accepted, and now. It writes, so it fails if Redis can't be written.
redis.call('SET', K .. 'seen', digits(now))
name_data()
if ARGV[6] == '1' then
	skip_orders()
end
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0', digits(clock),
	redis.call('HGET', K .. 'last', 'accepted') or '0', digits(now) }
