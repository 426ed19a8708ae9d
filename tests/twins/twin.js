// What the four services in Node have in common: Express with JSON, CORS, a port, a bus to tell.
// Environment: PORT (0: any free), BUS_URL (http://127.0.0.1:4005). Prints "ready service=NAME http=HOST:PORT".
'use strict';
const express = require('express');
const crypto = require('crypto');

const bus = process.env.BUS_URL || 'http://127.0.0.1:4005';

exports.newId = () => crypto.randomBytes(4).toString('hex');

exports.newApp = () => {
  const app = express();
  app.use(express.json());
  app.use((req, res, next) => {
    res.set('Access-Control-Allow-Origin', '*');
    next();
  });
  return app;
};

// As the course does it: one POST, and if nobody takes it, a line on the console.
exports.tell = async (type, data) => {
  try {
    const answer = await fetch(bus + '/events', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ type, data }),
    });
    await answer.arrayBuffer();
    if (!answer.ok) console.error(`bus: ${type}: ${answer.status}`);
  } catch (error) {
    console.error(`bus: ${type}: ${error.cause || error}`);
  }
};

// All that has happened, from the bus.
exports.history = async () => {
  try {
    const answer = await fetch(bus + '/events');
    return await answer.json();
  } catch (error) {
    console.error(`bus: no history: ${error.cause || error}`);
    return [];
  }
};

exports.listen = (app, name, port, ready) => {
  const server = app.listen(process.env.PORT || port, '127.0.0.1', async () => {
    if (ready) await ready();
    console.log(`ready service=${name} http=127.0.0.1:${server.address().port}`);
  });
  process.on('SIGTERM', () => process.exit(0));
};
