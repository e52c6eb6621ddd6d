-- ARGV: id, attempt, lease in microseconds.
local id, attempt, lease = ARGV[6], ARGV[7], tonumber(ARGV[8])
if not is_claimed(id, attempt) then
	return { 'conflict' }
end
redis.call('ZADD', K .. 'claims', digits(now + lease), id)
return { 'claimed', newest_of(id) }
