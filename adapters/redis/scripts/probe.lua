-- ARGV: an epoch, for where there is none. Tells the epoch and how many changes
-- there were. It writes, so that what can't be written is noticed.
if redis.call('SET', K .. 'epoch', ARGV[4], 'NX') then
	redis.call('SET', K .. 'born', digits(math.floor(now / 1000)))
end
redis.call('SET', K .. 'seen', digits(now))
return { redis.call('GET', K .. 'epoch'), redis.call('GET', K .. 'count') or '0' }
