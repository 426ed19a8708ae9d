// Comments by post, in memory. Tells CommentCreated and, once moderation has spoken, CommentUpdated.
'use strict';
const { newApp, newId, tell, listen } = require('./twin');

const commentsOf = {};
const app = newApp();

app.get('/posts/:id/comments', (req, res) => res.send(commentsOf[req.params.id] || []));

app.post('/posts/:id/comments', async (req, res) => {
  const postId = req.params.id;
  const comment = { id: newId(), content: req.body.content, status: 'pending' };
  const comments = commentsOf[postId] || (commentsOf[postId] = []);
  comments.push(comment);
  await tell('CommentCreated', { ...comment, postId });
  res.status(201).send(comments);
});

app.post('/events', async (req, res) => {
  const { type, data } = req.body;
  if (type === 'CommentModerated') {
    const comment = (commentsOf[data.postId] || []).find((one) => one.id === data.id);
    if (comment) {
      comment.status = data.status;
      await tell('CommentUpdated', { ...comment, postId: data.postId });
    }
  }
  res.send({});
});

listen(app, 'comments', 4001);
