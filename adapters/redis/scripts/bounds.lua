-- ARGV: user.
local feed = K .. 'f:' .. ARGV[6]
local oldest = redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)[1]
if not oldest then
	return {}
end
return { oldest[1], redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1][1] }
