// The joined view, in memory, built anew at each start from all that the bus remembers.
// As the course has it an event that comes twice does harm. With UPSERT=1 each is one upsert by id, so
// events may come twice, and live ones while the history is still being read (their comments then stand before
// older ones of the same post).
'use strict';
const { newApp, history, listen } = require('./twin');

const posts = {};

const asTheCourse = {
  PostCreated: ({ id, title }) => {
    posts[id] = { id, title, comments: [] };
  },
  CommentCreated: ({ id, content, postId, status }) => {
    posts[postId].comments.push({ id, content, status });
  },
  CommentUpdated: ({ id, content, postId, status }) => {
    const comment = posts[postId].comments.find((one) => one.id === id);
    comment.status = status;
    comment.content = content;
  },
};

const postOf = (id) => posts[id] || (posts[id] = { id, title: undefined, comments: [] });

const upsert = {
  PostCreated: ({ id, title }) => {
    postOf(id).title = title;
  },
  CommentCreated: ({ id, content, postId, status }) => {
    const { comments } = postOf(postId);
    if (!comments.some((one) => one.id === id)) comments.push({ id, content, status });
  },
  CommentUpdated: ({ id, content, postId, status }) => {
    const { comments } = postOf(postId);
    const comment = comments.find((one) => one.id === id);
    if (comment) Object.assign(comment, { content, status });
    else comments.push({ id, content, status });
  },
};

const handlers = process.env.UPSERT === '1' ? upsert : asTheCourse;
const handle = ({ type, data }) => handlers[type] && handlers[type](data);

const app = newApp();

app.get('/posts', (req, res) => res.send(posts));

app.post('/events', (req, res) => {
  handle(req.body);
  res.send({});
});

listen(app, 'query', 4002, async () => {
  for (const event of await history()) handle(event);
});
