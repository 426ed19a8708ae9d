// Posts, in memory. Tells PostCreated, listens to nothing.
'use strict';
const { newApp, newId, tell, listen } = require('./twin');

const posts = {};
const app = newApp();

app.get('/posts', (req, res) => res.send(posts));

app.post(['/posts', '/posts/create'], async (req, res) => {
  const id = newId();
  const { title } = req.body;
  posts[id] = { id, title };
  await tell('PostCreated', { id, title });
  res.status(201).send(posts[id]);
});

app.post('/events', (req, res) => res.send({}));

listen(app, 'posts', 4000);
