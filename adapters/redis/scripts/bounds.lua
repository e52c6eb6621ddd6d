-- ARGV: user. Returns the Seq of the oldest change that is kept, '' if none is, and that
-- of the last one; nothing if there was none.
local last = redis.call('HMGET', K .. 'm:' .. ARGV[6], 'ms', 'n')
if not last[1] then
	return {}
end
local oldest = redis.call('XRANGE', K .. 'f:' .. ARGV[6], '-', '+', 'COUNT', 1)[1]
return { oldest and oldest[1] or '', last[1] .. '-' .. last[2] }
