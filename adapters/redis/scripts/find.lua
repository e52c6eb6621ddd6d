-- ARGV: id, user or '*'.
local id, user = ARGV[4], ARGV[5]
if user ~= '*' and redis.call('HGET', entry(id), 'user') ~= user then
	return {}
end
return told(id)
