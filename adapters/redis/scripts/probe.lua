-- ARGV: 1 when a store is started, else 0.
--
-- Tells the epoch, how many changes there were, what time it is and when the
-- newest entry was accepted. It writes, so that what can't be written is noticed.
redis.call('SET', K .. 'seen', digits(now))
name_data()
if ARGV[6] == '1' then
	skip_orders()
end
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0', digits(clock),
	redis.call('HGET', K .. 'last', 'accepted') or '0', digits(now) }
