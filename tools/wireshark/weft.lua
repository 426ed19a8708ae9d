-- weft.lua: Wireshark and tshark read ZMTP 3.x (ZeroMQ's framing on TCP) and the messages of weft.
--
--   tshark -X lua_script:weft.lua -i lo -f 'tcp portrange 7600-7602' -Y 'weft.type == "post.created"'
--
-- A connection is known by its port (preference zmtp.ports, 7600 to 7602) or by ZMTP's greeting. What a
-- message is tells its content alone, so a capture may begin in the middle: a topic with events (an
-- array of nine, on fan-out with a stamp of three before it), "$commit", "$ack/…", a subscription, or
-- a command in capitals with a map. New commands and new fields of a map are shown by their names.
-- Nothing in a capture is trusted: what does not fit is called malformed, and the rest of that
-- segment is left alone.

local zmtp = Proto("zmtp", "ZeroMQ Message Transport Protocol")
local weft = Proto("weft", "weft event mesh")

local FRAME_BYTES_MAX = 1048576 -- no socket of weft takes more
local FRAMES_MAX = 8            -- of one message; weft has at most three
local DEPTH_MAX = 40            -- of msgpack; weft allows 32
local TEXT_MAX = 2000           -- characters of a value shown as JSON

-- ---- fields

local zf = {
  version = ProtoField.string("zmtp.version", "Version"),
  mechanism = ProtoField.string("zmtp.mechanism", "Mechanism"),
  as_server = ProtoField.bool("zmtp.as_server", "As server"),
  command = ProtoField.string("zmtp.command", "Command"),
  flags = ProtoField.uint8("zmtp.flags", "Flags", base.HEX),
  length = ProtoField.uint64("zmtp.length", "Length", base.DEC),
  property = ProtoField.string("zmtp.property", "Property"),
  socket_type = ProtoField.string("zmtp.socket_type", "Socket type"),
  topic = ProtoField.string("zmtp.topic", "Topic"),
  ttl = ProtoField.uint16("zmtp.ttl", "Time to live in 1/10 s"),
  context = ProtoField.bytes("zmtp.context", "Context"),
  body = ProtoField.bytes("zmtp.body", "Body"),
}
zmtp.fields = zf
local malformed = ProtoExpert.new("zmtp.malformed", "Malformed", expert.group.MALFORMED,
                                  expert.severity.ERROR)
zmtp.experts = { malformed }

local function text(name, title) return ProtoField.string("weft." .. name, title) end
local function number(name, title) return ProtoField.uint64("weft." .. name, title, base.DEC) end
local function hex(name, title) return ProtoField.uint64("weft." .. name, title, base.HEX) end
local function time(name, title)
  return ProtoField.absolute_time("weft." .. name, title, base.UTC)
end

local wf = {
  kind = text("kind", "Kind"),
  type = text("type", "Type"),
  event = ProtoField.none("weft.event", "Event"),
  -- an event and its stamp
  position = number("position", "Position"),
  stored = time("stored", "Stored"),
  chain = hex("chain", "Chain"),
  origin = text("origin", "Origin"),
  sequence = number("sequence", "Source sequence"),
  time = time("time", "Emitted"),
  source = text("source", "Source"),
  subject = text("subject", "Subject"),
  cause = number("cause", "Cause"),
  traceparent = text("traceparent", "Traceparent"),
  data = text("data", "Data"),
  -- commit records, acknowledgements
  log = text("log", "Log"),
  boot = hex("boot", "Boot"),
  prev = number("prev", "Previous"),
  prev_chain = hex("prev_chain", "Chain there"),
  last = number("last", "Last"),
  at = time("at", "At"),
  count = number("count", "Count"),
  sum = hex("sum", "Sum"),
  origin_chain = hex("origin_chain", "Origin chain"),
  -- control
  id = hex("id", "Id"),
  version = number("version", "Version"),
  name = text("name", "Name"),
  head = number("head", "Head"),
  first = number("first", "First"),
  first_chain = hex("first_chain", "Chain there"),
  from = number("from", "From"),
  next = number("next", "Next"),
  resume = number("resume", "Resume"),
  code = number("code", "Error code"),
  text = text("text", "Text"),
  accepting = ProtoField.bool("weft.accepting", "Accepting"),
  reason = text("reason", "Reason"),
  filters = text("filters", "Filters"),
  place = text("place", "Place"),
  field = text("field", "Field"), -- any other, as "name: value"
}
weft.fields = wf

-- Fields of maps, by the kind of their value and their key.
local KEYS = {
  uint = {
    id = wf.id, version = wf.version, boot = wf.boot, position = wf.position, chain = wf.chain,
    head = wf.head, first = wf.first, first_chain = wf.first_chain, prev = wf.prev,
    prev_chain = wf.prev_chain, last = wf.last, from = wf.from, next = wf.next, count = wf.count,
    sum = wf.sum, resume = wf.resume, code = wf.code, cause = wf.cause,
  },
  str = { name = wf.name, text = wf.text, reason = wf.reason, type = wf.type },
  bin = { log = wf.log, origin = wf.origin, instance = wf.origin },
  bool = { accepting = wf.accepting },
  array = { filters = wf.filters, position = wf.place },
}

-- ---- msgpack: a reader over a range, {tvb, at, stop}; errors are thrown as tables

local function fail(reason) error({ reason = reason }, 0) end

local function reader(tvb, at, stop) return { tvb = tvb, at = at, stop = stop } end

local function take(r, size)
  if size > r.stop - r.at then fail("msgpack ends too early") end
  local range
  if size > 0 then range = r.tvb(r.at, size) end
  r.at = r.at + size
  return range
end

local function hex_of(range)
  return range and tostring(range:bytes()):lower() or ""
end

local function utf8(range)
  return range and range:string(ENC_UTF_8) or ""
end

-- Kinds by the first byte from 0xc0 on: kind, and bytes of its length or of its value.
local HEADS = {
  [0xc0] = { "nil", 0 }, [0xc2] = { "bool", 0 }, [0xc3] = { "bool", 0 },
  [0xc4] = { "bin", 1 }, [0xc5] = { "bin", 2 }, [0xc6] = { "bin", 4 },
  [0xc7] = { "ext", 1 }, [0xc8] = { "ext", 2 }, [0xc9] = { "ext", 4 },
  [0xca] = { "float", 4 }, [0xcb] = { "float", 8 },
  [0xcc] = { "uint", 1 }, [0xcd] = { "uint", 2 }, [0xce] = { "uint", 4 }, [0xcf] = { "uint", 8 },
  [0xd0] = { "int", 1 }, [0xd1] = { "int", 2 }, [0xd2] = { "int", 4 }, [0xd3] = { "int", 8 },
  [0xd9] = { "str", 1 }, [0xda] = { "str", 2 }, [0xdb] = { "str", 4 },
  [0xdc] = { "array", 2 }, [0xdd] = { "array", 4 },
  [0xde] = { "map", 2 }, [0xdf] = { "map", 4 },
}

-- The kind of the value that begins here: kind, its own number (length, count or value) if the first
-- byte has it, bytes of the number that follows.
local function head_of(byte)
  if byte < 0x80 then return "fixint", byte, 0 end
  if byte < 0x90 then return "map", byte - 0x80, 0 end
  if byte < 0xa0 then return "array", byte - 0x90, 0 end
  if byte < 0xc0 then return "str", byte - 0xa0, 0 end
  if byte >= 0xe0 then return "fixneg", byte - 0x100, 0 end
  if byte >= 0xd4 and byte <= 0xd8 then return "ext", 2 ^ (byte - 0xd4), 0 end
  local head = HEADS[byte]
  if not head then fail("msgpack has no kind " .. byte) end
  return head[1], nil, head[2]
end

-- Read one head: {kind, from, range (of a scalar), count (of array and map), number (UInt64 of uint)}.
local function value(r)
  local from = r.at
  local byte = take(r, 1):uint()
  local kind, own, more = head_of(byte)
  local v = { kind = kind, from = from }
  if kind == "fixint" then
    v.kind, v.range = "uint", r.tvb(from, 1)
    v.number = UInt64(own)
  elseif kind == "fixneg" then
    v.kind, v.shown = "int", tostring(own)
  elseif kind == "uint" then
    v.range = take(r, more)
    v.number = v.range:uint64()
  elseif kind == "int" then
    local range = take(r, more)
    v.shown = tostring(range:int64())
  elseif kind == "float" then
    v.shown = tostring(take(r, more):float())
  elseif kind == "bool" then
    v.truth = byte == 0xc3
  elseif kind ~= "nil" then
    local size = own
    if more > 0 then size = take(r, more):uint() end
    if kind == "array" or kind == "map" then
      v.count = size
    else
      if kind == "ext" then size = size + 1 end
      v.range = take(r, size)
    end
  end
  return v
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

-- At most limit bytes of a text, and no half character.
local function clip(s, limit)
  if #s <= limit then return s end
  return s:sub(1, limit):gsub("[\xc0-\xff]?[\x80-\xbf]*$", "") .. "…"
end

-- Append the value that begins at r to the list of pieces, as JSON or something like it.
local function spell(r, pieces, depth)
  if depth > DEPTH_MAX then fail("msgpack is nested too deep") end
  local v = value(r)
  if v.kind == "array" then
    pieces[#pieces + 1] = "["
    for i = 1, v.count do
      if i > 1 then pieces[#pieces + 1] = "," end
      spell(r, pieces, depth + 1)
    end
    pieces[#pieces + 1] = "]"
  elseif v.kind == "map" then
    pieces[#pieces + 1] = "{"
    for i = 1, v.count do
      if i > 1 then pieces[#pieces + 1] = "," end
      spell(r, pieces, depth + 1)
      pieces[#pieces + 1] = ":"
      spell(r, pieces, depth + 1)
    end
    pieces[#pieces + 1] = "}"
  elseif v.kind == "str" then
    pieces[#pieces + 1] = quoted(utf8(v.range))
  elseif v.kind == "bin" or v.kind == "ext" then
    pieces[#pieces + 1] = "<" .. hex_of(v.range) .. ">"
  elseif v.kind == "nil" then
    pieces[#pieces + 1] = "null"
  elseif v.kind == "bool" then
    pieces[#pieces + 1] = tostring(v.truth)
  else
    pieces[#pieces + 1] = v.shown or tostring(v.number)
  end
  return v
end

-- The whole value at r: its text, its range, its head.
local function whole(r)
  local from, pieces = r.at, {}
  local v = spell(r, pieces, 0)
  return clip(table.concat(pieces), TEXT_MAX), r.tvb(from, r.at - from), v
end

local function want(r, kind, what)
  local v = value(r)
  if v.kind ~= kind then fail(what .. " is no " .. kind) end
  return v
end

-- ---- pieces of a message

local function add_number(tree, field, r, what)
  local v = want(r, "uint", what)
  tree:add(field, v.range, v.number)
  return v.number
end

local function add_time(tree, field, range, micros)
  local million = UInt64(1000000)
  local seconds, rest = micros / million, micros % million
  if seconds:higher() > 0 then fail("time is beyond all clocks") end
  tree:add(field, range, NSTime(seconds:tonumber(), rest:tonumber() * 1000))
end

local function add_micros(tree, field, r, what)
  local v = want(r, "uint", what)
  add_time(tree, field, v.range, v.number)
end

-- A text or bytes, or nil: then nothing is shown.
local function add_optional(tree, field, r, kind, what, spelled)
  local v = value(r)
  if v.kind == "nil" then return nil end
  if v.kind ~= kind then fail(what .. " is no " .. kind) end
  local shown = spelled(v.range)
  tree:add(field, v.range or r.tvb(v.from, 1), shown)
  return shown
end

local function traceparent(range)
  local all = hex_of(range)
  return string.format("00-%s-%s-%s", all:sub(1, 32), all:sub(33, 48), all:sub(49))
end

-- The nine fields of an event after the head of its array. Returns what its line says.
local function add_event(tree, r)
  local version = add_number(tree, wf.version, r, "version")
  local origin = want(r, "bin", "origin")
  tree:add(wf.origin, origin.range or r.tvb(origin.from, 1), hex_of(origin.range))
  local sequence = add_number(tree, wf.sequence, r, "source_seq")
  add_micros(tree, wf.time, r, "time_us")
  local source = want(r, "str", "source")
  tree:add(wf.source, source.range or r.tvb(source.from, 1), utf8(source.range))
  local subject = add_optional(tree, wf.subject, r, "str", "subject", utf8)
  local cause = value(r)
  if cause.kind == "uint" then
    tree:add(wf.cause, cause.range, cause.number)
  elseif cause.kind ~= "nil" then
    fail("cause is no uint")
  end
  add_optional(tree, wf.traceparent, r, "bin", "traceparent", traceparent)
  local shown, range = whole(r)
  tree:add(wf.data, range, shown)
  if version ~= UInt64(1) then tree:append_text(", of version " .. tostring(version)) end
  tree:append_text(string.format(" %s from %s, sequence %s", subject or "", utf8(source.range),
                                 tostring(sequence)))
end

-- A stamp after the head of its array.
local function add_stamp(tree, r)
  local position = add_number(tree, wf.position, r, "position")
  add_micros(tree, wf.stored, r, "stored_us")
  add_number(tree, wf.chain, r, "chain")
  return position
end

-- A run of events, each with a stamp before it or none; with types: a text with the type first.
-- Returns how many, the first and the last position (nil without stamps).
local function add_events(tree, r, kind, typed)
  local count, first, last = 0, nil, nil
  while r.at < r.stop do
    local from = r.at
    local item = tree:add(wf.event, r.tvb(from, 1))
    local name = kind
    if typed then
      local v = want(r, "str", "type")
      name = utf8(v.range)
      item:add(wf.type, v.range or r.tvb(v.from, 1), name)
    end
    local head = want(r, "array", "stamp or event")
    if head.count == 3 then
      last = add_stamp(item, r)
      first = first or last
      head = want(r, "array", "event")
      item:append_text(" " .. tostring(last))
    end
    if head.count ~= 9 then fail("neither stamp nor event: an array of " .. head.count) end
    item:append_text(": " .. name)
    add_event(item, r)
    item:set_len(r.at - from)
    count = count + 1
  end
  return count, first, last
end

-- One pair of a map: its own field if there is one for such a key and value, else one with both.
local function add_pair(tree, r, seen)
  local key = utf8(want(r, "str", "key").range)
  local shown, range, v = whole(r)
  local field = KEYS[v.kind] and KEYS[v.kind][key]
  if v.kind == "str" then shown = utf8(v.range) end
  if v.kind == "bin" then shown = hex_of(v.range) end
  seen[key] = shown
  if v.kind == "nil" then return end
  if v.kind == "uint" and key == "at" then
    add_time(tree, wf.at, v.range, v.number)
  elseif not field then
    tree:add(wf.field, range, key .. ": " .. shown)
  elseif v.kind == "uint" then
    tree:add(field, v.range, v.number)
  elseif v.kind == "bool" then
    tree:add(field, range, v.truth)
  else
    tree:add(field, range, shown)
  end
end

-- Types of a commit record: {type: [count, sum]}.
local function add_types(tree, r)
  local names = {}
  local map = want(r, "map", "types")
  for _ = 1, map.count do
    local name = want(r, "str", "type")
    tree:add(wf.type, name.range or r.tvb(name.from, 1), utf8(name.range))
    if want(r, "array", "count and sum").count ~= 2 then fail("count and sum are not two") end
    names[#names + 1] = utf8(name.range) .. " ×" .. tostring(add_number(tree, wf.count, r, "count"))
    add_number(tree, wf.sum, r, "sum")
  end
  return table.concat(names, ", ")
end

-- ---- messages: each returns its kind and what the summary says of it

local function read_commit(tree, r)
  local seen, types = {}, ""
  for _ = 1, want(r, "map", "record").count do
    local peek = reader(r.tvb, r.at, r.stop)
    if utf8(want(peek, "str", "key").range) == "types" then
      r.at = peek.at
      types = add_types(tree, r)
    else
      add_pair(tree, r, seen)
    end
  end
  return "commit", string.format("(%s, %s] %s", seen.prev or "?", seen.last or "?", types)
end

local function read_ack(tree, r, topic, range)
  tree:add(wf.origin, range, topic:sub(6))
  if want(r, "array", "acknowledgement").count ~= 3 then fail("an acknowledgement has three") end
  local sequence = add_number(tree, wf.sequence, r, "source_seq")
  local position = add_number(tree, wf.position, r, "position")
  add_number(tree, wf.origin_chain, r, "origin_chain")
  return "ack", string.format("%s… up to %s at %s", topic:sub(6, 13), tostring(sequence),
                              tostring(position))
end

-- What a summary tells of a command, of those fields that it has.
local TELLING = { "name", "position", "origin", "from", "next", "head", "to", "code", "text", "reason" }

local function read_control(tree, r, command)
  local seen, told = {}, {}
  for _ = 1, want(r, "map", "body").count do add_pair(tree, r, seen) end
  for _, key in ipairs(TELLING) do
    local shown = seen[key]
    if shown and shown ~= "" and shown ~= "null" then
      told[#told + 1] = key .. "=" .. clip(shown, 40)
    end
  end
  return command, table.concat(told, " ")
end

local function span(count, first, last)
  if not first then return "×" .. count end
  return string.format("×%d at %s%s", count, tostring(first),
                       count > 1 and "…" .. tostring(last) or "")
end

local function is_container(tvb, at, stop, fix, long16, long32)
  if at >= stop then return false end
  local byte = tvb(at, 1):uint()
  return (byte >= fix and byte < fix + 16) or byte == long16 or byte == long32
end

-- A whole message of weft. frames: list of {at, size}.
local function read_message(tvb, tree, frames)
  local topic_range = frames[1].size > 0 and tvb(frames[1].at, frames[1].size)
  local topic = topic_range and topic_range:raw() or ""
  local body = frames[2]
  local r = reader(tvb, body.at, body.at + body.size)
  if topic == "$commit" then return read_commit(tree, r) end
  if topic:sub(1, 5) == "$ack/" then return read_ack(tree, r, topic, topic_range) end
  if topic:match("^[A-Z][A-Z_]*$") and is_container(tvb, r.at, r.stop, 0x80, 0xde, 0xdf) then
    local kind, told = read_control(tree, r, topic)
    if r.at < r.stop then fail("bytes after the body of " .. topic) end
    for i = 3, #frames do
      local more = reader(tvb, frames[i].at, frames[i].at + frames[i].size)
      local count, first, last = add_events(tree, more, nil, true)
      told = told .. " events " .. span(count, first, last)
    end
    return kind, told
  end
  if not topic_range then fail("no topic") end
  topic = utf8(topic_range)
  tree:add(wf.type, topic_range, topic)
  local count, first, last = add_events(tree, r, topic, false)
  return "events", topic .. " " .. span(count, first, last)
end

-- ---- ZMTP

-- What the packet is called: the first message names it, the others are added.
local function summarize(pinfo, state, protocol, words)
  if state.said then
    pinfo.cols.info:append(" | " .. words)
  else
    pinfo.cols.protocol = protocol
    pinfo.cols.info = words
    state.said = true
  end
end

local function subscription(tree, pinfo, state, kind, topic_range, whole_range)
  local topic = utf8(topic_range)
  local item = tree:add(weft, whole_range)
  item:append_text(": " .. kind .. " " .. quoted(topic))
  item:add(wf.kind, whole_range, kind)
  if topic_range then tree:add(zf.topic, topic_range, topic) end
  summarize(pinfo, state, "weft", kind .. " " .. quoted(topic))
end

local function read_greeting(tvb, pinfo, item, at, state)
  local version = tvb(at + 10, 1):uint() .. "." .. tvb(at + 11, 1):uint()
  local mechanism = tvb(at + 12, 20):string(ENC_UTF_8):match("^[%w_-]*") -- padded with zeros
  item:append_text(", greeting")
  item:add(zf.version, tvb(at + 10, 2), version)
  item:add(zf.mechanism, tvb(at + 12, 20), mechanism)
  item:add(zf.as_server, tvb(at + 32, 1))
  summarize(pinfo, state, "ZMTP", "greeting, version " .. version .. ", " .. mechanism)
end

-- READY and INITIATE: names with values.
local function read_properties(tvb, tree, at, stop)
  local words = {}
  while at < stop do
    local from, size = at, tvb(at, 1):uint()
    if size + 5 > stop - at then fail("property ends too early") end
    local name = tvb(at + 1, size):string(ENC_UTF_8)
    at = at + 1 + size
    local length = tvb(at, 4):uint()
    at = at + 4
    if length > stop - at then fail("property ends too early") end
    local range = length > 0 and tvb(at, length)
    local shown = range and utf8(range) or ""
    at = at + length
    tree:add(zf.property, tvb(from, at - from), name .. ": " .. shown)
    if name == "Socket-Type" and range then tree:add(zf.socket_type, range, shown) end
    words[#words + 1] = shown ~= "" and name .. " " .. shown or nil
  end
  return table.concat(words, ", ")
end

local function read_command(tvb, pinfo, tree, frame, state)
  local at, stop = frame.at, frame.at + frame.size
  if at == stop then fail("command without a name") end
  local size = tvb(at, 1):uint()
  if size == 0 or size + 1 > stop - at then fail("name of the command ends too early") end
  local name = tvb(at + 1, size):string(ENC_UTF_8)
  tree:append_text(", command " .. name)
  tree:add(zf.command, tvb(at + 1, size), name)
  at = at + 1 + size
  local rest = stop > at and tvb(at, stop - at) or nil
  local words = ""
  if name == "SUBSCRIBE" or name == "CANCEL" then
    subscription(tree, pinfo, state, name:lower(), rest, tvb(frame.at, frame.size))
    return
  elseif name == "READY" or name == "INITIATE" then
    words = read_properties(tvb, tree, at, stop)
  elseif name == "PING" and stop - at >= 2 then
    tree:add(zf.ttl, tvb(at, 2))
    if stop - at > 2 then tree:add(zf.context, tvb(at + 2, stop - at - 2)) end
  elseif name == "PONG" and rest then
    tree:add(zf.context, rest)
  elseif rest then
    tree:add(zf.body, rest)
  end
  summarize(pinfo, state, "ZMTP", name .. (words ~= "" and " " .. words or ""))
end

local function read_frames(tvb, pinfo, tree, frames, state)
  local first = frames[1]
  if first.command then return read_command(tvb, pinfo, tree, first, state) end
  if #frames == 1 then
    local byte = first.size > 0 and tvb(first.at, 1):uint()
    if byte ~= 0 and byte ~= 1 then fail("a message of one frame that is no subscription") end
    return subscription(tree, pinfo, state, byte == 1 and "subscribe" or "cancel",
                        first.size > 1 and tvb(first.at + 1, first.size - 1) or nil,
                        tvb(first.at, first.size))
  end
  local last = frames[#frames]
  local item = tree:add(weft, tvb(first.at, last.at + last.size - first.at))
  local ok, kind, told = pcall(read_message, tvb, item, frames)
  if not ok then error(kind, 0) end
  item:append_text(": " .. kind .. " " .. told)
  item:add(wf.kind, tvb(first.at, first.size), kind)
  summarize(pinfo, state, "weft", kind .. " " .. told)
end

-- The frames of the message that begins at at. Returns frames and where it ends; or nil and how many
-- bytes are missing at least (nil: not known); throws what cannot be ZMTP.
local function split(tvb, at)
  local frames, have = {}, tvb:len()
  repeat
    if at >= have then return nil, nil end
    local flags = tvb(at, 1):uint()
    if flags > 7 or (flags >= 4 and flags % 2 == 1) then
      fail(string.format("no ZMTP frame begins with 0x%02x", flags))
    end
    local long = flags % 4 >= 2
    local head = long and 9 or 2
    if have - at < head then return nil, nil end
    local length
    if long then
      local size = tvb(at + 1, 8):uint64()
      if size > UInt64(FRAME_BYTES_MAX) then fail("a frame of " .. tostring(size) .. " bytes") end
      length = size:tonumber()
    else
      length = tvb(at + 1, 1):uint()
    end
    frames[#frames + 1] = { from = at, at = at + head, size = length, flags = flags,
                            command = flags >= 4 }
    at = at + head + length
    if #frames > FRAMES_MAX then fail("a message of more frames than weft knows") end
    if at > have then return nil, at - have end
  until flags % 2 == 0
  return frames, at
end

local function complain(tree, pinfo, state, err)
  local reason = type(err) == "table" and err.reason or tostring(err)
  tree:add_proto_expert_info(malformed, reason)
  summarize(pinfo, state, "ZMTP", "malformed: " .. reason)
end

local function read_one(tvb, pinfo, tree, frames, stop, state)
  local from = frames[1].from
  local item = tree:add(zmtp, tvb(from, stop - from))
  for _, frame in ipairs(frames) do
    item:add(zf.flags, tvb(frame.from, 1))
    item:add(zf.length, tvb(frame.from + 1, frame.at - frame.from - 1), UInt64(frame.size))
  end
  local ok, err = pcall(read_frames, tvb, pinfo, item, frames, state)
  if not ok then complain(item, pinfo, state, err) end
end

function zmtp.dissector(tvb, pinfo, tree)
  local at, have, state = 0, tvb:len(), {}
  local cut = tvb:reported_len() > have -- by the capture: what is missing will not come
  while at < have do
    local frames, stop
    if tvb(at, 1):uint() == 0xff then
      stop = have - at < 64 and 64 - (have - at) or nil -- missing bytes
      if not stop then
        local item = tree:add(zmtp, tvb(at, 64))
        local ok, err = pcall(read_greeting, tvb, pinfo, item, at, state)
        if not ok then complain(item, pinfo, state, err) end
        at = at + 64
      end
    else
      local ok
      ok, frames, stop = pcall(split, tvb, at)
      if not ok then
        complain(tree:add(zmtp, tvb(at)), pinfo, state, frames)
        return have
      end
      if frames then
        read_one(tvb, pinfo, tree, frames, stop, state)
        at, stop = stop, nil
      else
        stop = stop or DESEGMENT_ONE_MORE_SEGMENT
      end
    end
    if stop then
      if cut then
        complain(tree:add(zmtp, tvb(at)), pinfo, state, { reason = "cut off by the capture" })
        return have
      end
      pinfo.desegment_offset = at
      pinfo.desegment_len = stop
      return have
    end
  end
  return have
end

-- ---- which connections

local ports = DissectorTable.get("tcp.port")
local served = "7600-7602"
zmtp.prefs.ports = Pref.range("TCP ports", served, "The bus' control port and the two after it", 65535)
ports:add(served, zmtp)

function zmtp.prefs_changed()
  if served == zmtp.prefs.ports then return end
  ports:remove(served, zmtp)
  served = zmtp.prefs.ports
  ports:add(served, zmtp)
end

-- ZMTP's greeting begins with a signature of ten bytes, sent as one piece.
local function is_greeting(tvb)
  return tvb:len() >= 10 and tvb(0, 1):uint() == 0xff and tvb(9, 1):uint() == 0x7f and
         tvb(1, 7):uint64() == UInt64(0)
end

zmtp:register_heuristic("tcp", function(tvb, pinfo, tree)
  if not is_greeting(tvb) then return false end
  pinfo.conversation = zmtp
  zmtp.dissector(tvb, pinfo, tree)
  return true
end)
