-- ARGV: id, user or '*'.
local id, user = ARGV[6], ARGV[7]
if user ~= '*' and redis.call('HGET', entry(id), 'user') ~= user then
	return {}
end
return stored(id)
