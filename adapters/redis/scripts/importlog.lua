-- ARGV: user, last Seq that is not kept any more or '', then for each change:
-- seq, its ms, its n, doc, revision, attempts. Tells how many are new here.
local user, trimmed = ARGV[6], ARGV[7]
local feed, meta = K .. 'f:' .. user, K .. 'm:' .. user
keep_user(user)
local last = redis.call('HMGET', meta, 'ms', 'n', 'trimmed')
if trimmed ~= '' and not last[3] then -- else more was trimmed here since
	redis.call('HSET', meta, 'trimmed', trimmed)
end
local ms, n = tonumber(last[1] or 0), tonumber(last[2] or 0)
local new = 0
for i = 8, #ARGV, 6 do
	local seq, seq_ms, seq_n, doc, rev, attempts = unpack(ARGV, i, i + 5)
	if tonumber(seq_ms) > ms or tonumber(seq_ms) == ms and tonumber(seq_n) > n then
		ms, n = tonumber(seq_ms), tonumber(seq_n)
		redis.call('XADD', feed, seq, 'doc', doc, 'rev', rev, 'attempts', attempts, 'updated', '')
		redis.call('HSET', meta, 'ms', seq_ms, 'n', seq_n)
		new = new + 1
	end
end
-- What was made before this data was may be asked for from now on.
redis.call('SET', K .. 'born', 0)
return new
