// Judges comments. Keeps nothing.
'use strict';
const { newApp, tell, listen } = require('./twin');

const app = newApp();

app.post('/events', async (req, res) => {
  const { type, data } = req.body;
  if (type === 'CommentCreated') {
    const status = data.content.includes('orange') ? 'rejected' : 'approved';
    await tell('CommentModerated', { ...data, status });
  }
  res.send({});
});

listen(app, 'moderation', 4003);
