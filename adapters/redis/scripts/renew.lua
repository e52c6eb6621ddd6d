-- ARGV: id, attempt, lease in microseconds.
local id, attempt, lease = ARGV[4], ARGV[5], tonumber(ARGV[6])
if not holds(id, attempt) then
	return { 'conflict' }
end
redis.call('ZADD', K .. 'claims', digits(now + lease), id)
return { 'held', standing(id) }
