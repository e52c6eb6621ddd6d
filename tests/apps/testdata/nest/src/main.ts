import 'reflect-metadata'
import { Controller, Get, Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
declare const process: { env: Record<string, string> }

@Injectable()
class Service { hello() { return 'Hello Nest!' } }

@Controller()
class Hello {
  constructor(private readonly service: Service) {}
  @Get() hello() { return this.service.hello() }
}

@Module({ controllers: [Hello], providers: [Service] })
class App {}

NestFactory.create(App).then((app) => app.enableShutdownHooks().listen(process.env.PORT))
